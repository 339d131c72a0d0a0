"""What every recorded answer of the coding platforms must come to, and a server that gives it.

A line tells for whom a file is the answer, to which request, what is answered beside it, and what
is stored of it; a file that no platform asks for is given as an answer all the same, and nothing
may be stored of it. The lines are in the modules `recorded_lines*`.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from random import Random
from typing import Any

from aiohttp import web
from fakes.clock import FakeClock
from fakes.payloads import Recorded
from fakes.platform_worlds import PLATFORMS

from syncd.config.models import PlatformSettings
from syncd.platforms.base import Platform
from syncd.sandbox.answer import Answer
from syncd.telemetry.bus import Bus

Change = Callable[[bytes], bytes]
Made = Callable[[Recorded, str], Answer]
JSON = {"Content-Type": "application/json"}
HTML = {"Content-Type": "text/html; charset=utf-8"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """An answer beside the recorded one that is no JSON."""

    text: str = ""
    status: int = 200
    location: str = ""

    def sent(self) -> web.Response:
        headers = {**HTML, **({"Location": self.location} if self.location else {})}
        return web.Response(status=self.status, text=self.text, headers=headers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One recorded file.

    `handle` is who is asked for, `to` the requests (a pattern with `*` of path and query) that the
    file answers. `outcome` is the word for what comes of it; where it is empty, `stored` are
    columns of the row, and `also` those of others that the file tells of, by their handle.
    `beside` are other answers that the same fetch gets, by their pattern; `made` turns a file that
    is no answer by itself into one, knowing what is asked.
    """

    handle: str
    to: str = "*"
    outcome: str = ""
    stored: Mapping[str, Any] = field(default_factory=dict)
    also: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    beside: Mapping[str, Any] = field(default_factory=dict)
    made: Made | None = None
    status: int = 0

    def people(self) -> dict[str, Mapping[str, Any]]:
        """What is stored of everybody, by the handle that is asked for."""
        return {self.handle: self.stored, **self.also}


class Lines:
    """Answers as a line says, with what is in the file changed by `change`."""

    def __init__(self, recorded: Recorded, line: Line) -> None:
        self.recorded = recorded
        self.line = line
        self.change: Change = lambda body: body
        self.answered = 0

    def answer(self, asked: str) -> Answer:
        """What is in the file, as it is sent."""
        recorded, line = self.recorded, self.line
        if line.made is not None:
            return line.made(recorded, asked)
        headers = HTML if recorded.file.endswith(".html") else JSON
        status = line.status or recorded.status or 200
        return Answer(status=status, headers=headers, body=recorded.body)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        asked = request.path_qs
        for pattern, data in self.line.beside.items():
            if fnmatchcase(asked, pattern):
                return data.sent() if isinstance(data, Page) else web.json_response(data)
        if not fnmatchcase(asked, self.line.to):
            return web.Response(status=501, text=f"nothing recorded for {asked[:200]}")
        self.answered += 1
        answer = self.answer(asked)
        return web.Response(
            status=answer.status, headers=answer.headers, body=self.change(answer.body)
        )


@asynccontextmanager
async def reading(platform: str, base_url: str, clock: FakeClock) -> AsyncIterator[Platform]:
    """Connect a platform, and its companions, to a server of recorded answers."""
    plugin = PLATFORMS[platform]
    given = {"base_url": base_url, "urls": companions(platform, base_url), "allow_private": True}
    if plugin.kind == "contests":
        given["credentials"] = [{"name": "main", "token": "ada:key"}]
    settings = PlatformSettings.model_validate({**dict(plugin.defaults), **given})
    [connected] = plugin.connect(platform, settings, clock=clock, bus=Bus(), random=Random(1))
    async with AsyncExitStack() as stack:
        for client in connected.clients:
            await stack.enter_async_context(client)
        yield connected


def companions(platform: str, base_url: str) -> dict[str, str]:
    """Where a platform's companions are, who are served together with it."""
    return {name: f"{base_url}/{name}" for name in PLATFORMS[platform].companions}


def told(data: Any) -> Answer:
    """Answer with JSON."""
    return Answer(headers=JSON, body=json.dumps(data).encode())
