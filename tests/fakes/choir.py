"""A platform that is asked about ten accounts at once, and the service behind it.

As on Codeforces one name nobody knows fails the whole question.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import sys
from collections.abc import Iterator
from pathlib import Path

from aiohttp import web

import syncd.platforms

BATCH = 10
FILE = '''
"""Choir: who sings how well, ten singers at a time."""

import re

from syncd.config.models import PlatformSettings
from syncd.errors import AccountNotFound, BadPayload
from syncd.model.profile import Fetched, Profile
from syncd.outbound.answers import Kind, Verdict, judge_by_status
from syncd.outbound.request import Request
from syncd.platforms.base import Platform


def judge(response):
    """A web page is a captcha, whoever was asked for."""
    if response.is_html:
        return Verdict(kind=Kind.BLOCKED, cause="a web page", is_certain=True)
    return judge_by_status(response)


class Choir(Platform):
    """The public list."""

    defaults = PlatformSettings.model_validate(
        {"base_url": "https://choir.example", "rate": "10/s", "slots": 1}
    )
    handle_rule = re.compile("[a-z0-9]{1,20}")
    batch_size = 10
    schemes = ()

    @classmethod
    def classifier(cls, credential):
        return judge

    async def fetch(self, account):
        """Ask about one."""
        answer = (await self.fetch_many([account]))[account.id]
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def fetch_many(self, accounts):
        """Ask about many, again without those that nobody knows."""
        left, found = list(accounts), {}
        while left:
            names = ";".join(account.handle for account in left)
            response = await self.client.request(
                Request(segments=("singers",), params={"names": names})
            )
            if response.status != 400:
                break
            unknown = [each for each in left if each.handle == response.data["unknown"]]
            for account in unknown:
                found[account.id] = AccountNotFound(f"{account.handle} does not sing")
            left = [account for account in left if account not in unknown]
        if left and not isinstance(response.data, list):
            raise BadPayload("the answer is no list")
        rows = {row["name"]: row for row in response.data} if left else {}
        for account in left:
            if account.handle in rows:
                found[account.id] = read(account, rows[account.handle])
        return found


def read(account, row):
    """Read a row of the list."""
    if not isinstance(row.get("rating"), int):
        error = BadPayload(f"{account.handle}: $.rating is no int")
        error.sample = str(row)
        return error
    profile = Profile(
        external_id=account.handle, handle=account.handle, rating=row["rating"], raw=row
    )
    return Fetched(profile=profile)
'''


class Hall:
    """The service: its singers and their ratings, and what it was asked.

    A question about somebody in `poison` fails, `odd` have no rating, of `silent` nothing is said;
    `instead` is what everybody gets. Of the questions that come after the first `answers`, each
    waits for `release`; `reached` says that one does.
    """

    def __init__(self, singers: int) -> None:
        self.ratings = {f"s{number:03}": 1_000 + number for number in range(singers)}
        self.asked: list[list[str]] = []
        self.poison: set[str] = set()
        self.odd: set[str] = set()
        self.silent: set[str] = set()
        self.instead: tuple[int, str, str] | None = None
        self.answers = math.inf
        self._released = asyncio.Event()
        self.reached = asyncio.Event()

    def handles(self) -> dict[str, str]:
        """Return who is who, by user."""
        return {f"u{name[1:]}": name for name in self.ratings}

    def release(self) -> None:
        """Answer those that wait, and everybody from now on."""
        self.answers = math.inf
        self._released.set()

    def asked_for(self, name: str) -> int:
        """Return how many questions were about somebody."""
        return sum(name in names for names in self.asked)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        names = request.query["names"].split(";")
        self.asked.append(names)
        if len(self.asked) > self.answers:
            self.reached.set()
            await self._released.wait()
        if self.instead is not None:
            status, kind, text = self.instead
            return web.Response(status=status, content_type=kind, text=text)
        if self.poison.intersection(names):
            return web.json_response({"error": "internal"}, status=500)
        unknown = [name for name in names if name not in self.ratings]
        if unknown:
            return web.json_response({"unknown": unknown[0]}, status=400)
        return web.json_response([self._row(name) for name in names if name not in self.silent])

    def _row(self, name: str) -> dict[str, object]:
        rating = "much" if name in self.odd else self.ratings[name]
        return {"name": name, "rating": rating}


@contextlib.contextmanager
def choir_file(folder: Path) -> Iterator[None]:
    """Let this process know the platform."""
    platforms = folder / "platforms"
    platforms.mkdir()
    (platforms / "choir.py").write_text(FILE)
    syncd.platforms.__path__.append(str(platforms))
    yield
    syncd.platforms.__path__.remove(str(platforms))
    sys.modules.pop("syncd.platforms.choir", None)
