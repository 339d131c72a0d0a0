"""A server that answers with what was recorded from the real one, byte for byte."""

from __future__ import annotations

import re
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from aiohttp import web
from fakes.payloads import Recorded, load_index

from syncd.sandbox.server import serve

# What belongs to the recorded connection, not to the answer.
NOT_REPLAYED = {"connection", "content-encoding", "content-length", "transfer-encoding"}
CONDITIONS = ("If-None-Match", "If-Modified-Since")
NOW = re.compile(
    r"\{\{now(?: offset='(?P<offset>\d+) seconds')?[^}]*?format='(?P<format>[^']+)'\}\}"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A request that came, and the file it was answered with (empty: none fits)."""

    method: str
    path: str
    headers: Mapping[str, str]
    file: str


class Replay:
    """Answers by method and path as INDEX.json lists them, unless a test chose a file.

    Of several files for one path the first answers; a 304 only if the condition it was recorded
    with is sent. `Location` leads back to this server instead of the real one.
    """

    def __init__(self, recorded: list[Recorded]) -> None:
        self.base_url = ""
        self.requests: list[Seen] = []
        self._recorded = recorded
        self._by_file = {exchange.file: exchange for exchange in recorded}
        self._chosen: defaultdict[str, deque[Recorded]] = defaultdict(deque)

    @property
    def unanswered(self) -> list[Seen]:
        """The requests that nothing recorded fits; they were answered 501."""
        return [seen for seen in self.requests if not seen.file]

    def answer_next(self, path: str, file: str, *, times: int = 1) -> None:
        """Answer the next requests for `path` (encoded, with query) with `file`.

        `file` may come from any platform's path: `github/error_500.json`, or without its folder.
        """
        exchange = self._by_file.get(file) or self._by_short_name(file)
        self._chosen[path].extend([exchange] * times)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        exchange = self._choose(request)
        file = exchange.file if exchange else ""
        seen = Seen(
            method=request.method, path=request.raw_path, headers=dict(request.headers), file=file
        )
        self.requests.append(seen)
        if exchange is None:
            return web.Response(status=501, text=f"nothing recorded for {seen.method} {seen.path}")
        return web.Response(
            status=exchange.status, headers=self._headers(exchange), body=exchange.body or None
        )

    def _choose(self, request: web.BaseRequest) -> Recorded | None:
        chosen = self._chosen[request.raw_path]
        if chosen:
            return chosen.popleft()
        fitting = [
            exchange
            for exchange in self._recorded
            if (exchange.method, exchange.path) == (request.method, request.raw_path)
        ]
        asked = {name: request.headers[name] for name in CONDITIONS if name in request.headers}
        unchanged = (
            exchange
            for exchange in fitting
            if exchange.status == 304 and asked and asked.items() <= exchange.request.items()
        )
        plain = (exchange for exchange in fitting if exchange.status != 304)
        return next(unchanged, None) or next(plain, None)

    def _headers(self, exchange: Recorded) -> dict[str, str]:
        return {
            name: NOW.sub(_fill, value).replace(exchange.origin, self.base_url)
            if name.lower() == "location"
            else NOW.sub(_fill, value)
            for name, value in exchange.headers.items()
            if name.lower() not in NOT_REPLAYED
        }

    def _by_short_name(self, file: str) -> Recorded:
        return next(known for name, known in self._by_file.items() if name.endswith(f"/{file}"))


@asynccontextmanager
async def replay(platform: str = "github") -> AsyncIterator[Replay]:
    """Serve a platform's recorded answers as long as the context lasts."""
    server = Replay(load_index(platform))
    async with serve(server) as base_url:
        server.base_url = base_url
        yield server


def _fill(template: re.Match[str]) -> str:
    instant = datetime.now(UTC) + timedelta(seconds=int(template["offset"] or 0))
    if template["format"] == "unix":
        return str(int(instant.timestamp()))
    return format_datetime(instant, usegmt=True)
