"""A platform that asks a second service: its way out has limits and a breaker of its own."""

from __future__ import annotations

import contextlib
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from fakes.clock import FakeClock
from fakes.controlled import Desk, controlled, text_for
from fakes.running import JOB

import syncd.platforms
from syncd.errors import NotKnown
from syncd.model.account import UserEntry
from syncd.model.run import RunOptions
from syncd.sandbox.server import serve
from syncd.store.database import Database

USERS = 12
FILE = '''
import re

from syncd.config.models import PlatformSettings
from syncd.model.profile import Fetched, Profile
from syncd.outbound.request import Request
from syncd.platforms.base import Platform


class Club(Platform):
    """Tells ratings; how many problems were solved only its companion knows."""

    defaults = PlatformSettings.model_validate({"base_url": "https://club.example", "slots": 2})
    companions = {"problems": "https://problems.example/club"}
    handle_rule = re.compile("[a-z0-9]{1,20}")
    schemes = ()

    async def fetch(self, account):
        """Ask both."""
        request = Request(segments=("users", account.handle))
        member = (await self.client.request(request)).data
        count = (await self.companion["problems"].request(request)).data
        profile = Profile(
            external_id=account.handle,
            handle=account.handle,
            rating=member["rating"],
            solved=count["solved"],
            raw={"member": member, "count": count},
        )
        return Fetched(profile=profile)
'''


@dataclass
class Service:
    """Answers everybody alike, or as `refuses` says."""

    answer: dict[str, int]
    refuses: web.Response | None = None
    asked: Counter[str] = field(default_factory=Counter)
    headers: list[str] = field(default_factory=list)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self.asked[request.path] += 1
        self.headers.extend(request.headers)
        if self.refuses is not None:
            return web.Response(
                status=self.refuses.status,
                text=self.refuses.text,
                headers={"Retry-After": self.refuses.headers.get("Retry-After", "")},
            )
        return web.json_response(self.answer)


@pytest.fixture
def club() -> Service:
    return Service({"rating": 1500})


@pytest.fixture
def problems() -> Service:
    return Service({"solved": 42})


@pytest.fixture
def club_file(tmp_path: Path) -> Iterator[None]:
    folder = tmp_path / "platforms"
    folder.mkdir()
    (folder / "club.py").write_text(FILE)
    syncd.platforms.__path__.append(str(folder))
    yield
    syncd.platforms.__path__.remove(str(folder))
    sys.modules.pop("syncd.platforms.club")


@dataclass
class House:
    """Starts syncd again and again on one database."""

    text: str
    folder: Path
    clock: FakeClock

    @contextlib.asynccontextmanager
    async def syncd(self) -> AsyncIterator[Desk]:
        async with controlled(self.text, self.folder, self.clock, token="") as desk:
            await desk.core.health.ready.wait()
            yield desk


@pytest.fixture
async def house(
    club_file: None, database: Database, tmp_path: Path, club: Service, problems: Service
) -> AsyncIterator[House]:
    async with serve(club) as one, serve(problems) as other:
        settings = database.settings
        text = text_for(settings.address, settings.schema, one).replace("github", "club")
        urls = f'[platforms.club]\nurls = {{ problems = "{other}/club" }}'
        yield House(text.replace("[platforms.club]", urls), tmp_path, FakeClock())


async def link(desk: Desk) -> None:
    for number in range(USERS):
        await desk.control.put_user(UserEntry(key=f"u{number}", accounts={"club": f"h{number}"}))


async def run(desk: Desk, **options: Any) -> dict[str, Any]:
    started = await desk.control.trigger(JOB, RunOptions(**options), None)
    return await desk.end(started["id"])


async def test_what_both_services_say_is_one_profile(
    house: House, club: Service, problems: Service
) -> None:
    async with house.syncd() as desk:
        await link(desk)
        ended = await run(desk)
        [shown] = [p for p in await desk.control.platforms() if p["name"] == "club"]
        async with desk.core.database.connection() as connection:
            stored = await connection.fetch("SELECT DISTINCT rating, solved FROM profiles")

    assert (ended["outcome"], ended["created"], ended["calls"]) == ("succeeded", USERS, 2 * USERS)
    assert [tuple(row) for row in stored] == [(1500.0, 42)]
    assert set(problems.asked) == {f"/club/users/h{number}" for number in range(USERS)}
    assert [each["credential"] for each in shown["credentials"]] == ["anonymous", "problems"]
    assert [each["calls"] for each in shown["credentials"]] == [USERS, USERS]
    assert (shown["credential"], shown["calls"]) == ("anonymous", USERS)
    assert "Authorization" not in club.headers + problems.headers


async def test_a_companion_that_asks_for_a_pause_ends_the_pass_and_is_remembered(
    house: House, club: Service, problems: Service
) -> None:
    problems.refuses = web.Response(status=429, headers={"Retry-After": "86400"})
    async with house.syncd() as desk:
        await link(desk)
        ended = await run(desk)
        status = await desk.control.status()
    club.asked.clear()
    problems.asked.clear()
    problems.refuses = None

    async with house.syncd() as desk:
        again = await run(desk)
        asked_again = problems.asked.total()
        [shown] = [p for p in await desk.control.platforms() if p["name"] == "club"]
        with pytest.raises(NotKnown) as unknown:
            desk.core.gates.lift("club", "problem")
        desk.core.gates.lift("club", "problems")
        healed = await run(desk)

    assert (ended["outcome"], ended["seen"], ended["failed"]) == ("partial", 0, 0)
    assert any(
        problem["what"].startswith("problems: club pause until 2026-01-02")
        for problem in status["problems"]
    )
    assert (again["seen"], asked_again) == (0, 0)
    assert shown["paused_until"] is not None
    assert shown["waits_for"].startswith("problems: club pause until")
    assert [bool(each["paused_until"]) for each in shown["credentials"]] == [False, True]
    assert unknown.value.hint == "credentials: anonymous, problems"
    assert (healed["outcome"], healed["created"]) == ("succeeded", USERS)


async def test_a_companion_that_is_blocked_fails_nobody_and_leaves_the_platforms_own_way_open(
    house: House, problems: Service
) -> None:
    problems.refuses = web.Response(status=403, text="<html>Just a moment...</html>")
    async with house.syncd() as desk:
        await link(desk)
        ended = await run(desk)
        [shown] = [p for p in await desk.control.platforms() if p["name"] == "club"]
        metrics = (await desk.control.scraper.scrape()).decode()

    assert ended["outcome"] == "failed"
    assert "Just a moment" in ended["error"]
    assert shown["breaker"]["state"] == "open"
    assert [each["breaker"]["state"] for each in shown["credentials"]] == ["closed", "open"]
    assert 'credential="problems",platform="club"' in metrics
