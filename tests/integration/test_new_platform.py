"""A new platform is one file: found, configured, linked, fetched and stored by being there."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from aiohttp import web
from fakes.clock import FakeClock
from fakes.syncing import Syncing, syncing

import syncd.platforms
from syncd.model.run import Outcome
from syncd.sandbox.server import serve
from syncd.store.database import Database

FILE = '''
"""Trivia: how well somebody knows useless things."""

import re

from syncd.config.models import PlatformSettings
from syncd.errors import AccountNotFound
from syncd.model.profile import Fetched, Profile
from syncd.outbound.request import Request
from syncd.platforms.base import Platform


class Trivia(Platform):
    """The game's public API."""

    defaults = PlatformSettings.model_validate(
        {"base_url": "https://api.trivia.example", "rate": "2/s"}
    )
    handle_rule = re.compile("[a-z]{1,20}")

    async def fetch(self, account):
        """Read a player."""
        response = await self.client.request(Request(segments=("players", account.handle)))
        if response.status == 404:
            raise AccountNotFound(f"{account.handle!r} does not exist on trivia")
        player = response.data
        profile = Profile(
            external_id=player["id"],
            handle=account.handle,
            rating=player["rating"],
            solved=player["solved"],
            raw=player,
        )
        return Fetched(profile=profile)
'''


CHECKOUT = Path(__file__).parents[2]
DROPPED = CHECKOUT / "tests" / "data" / "new_platform"
OVER_RECORDED = ("integration/test_recorded_answers.py", "integration/test_mangled_answers.py")


class Game:
    """The service that the new platform reads."""

    def __init__(self) -> None:
        self.players = {"ada": 1815.5, "bo": 1200.0}

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        name = request.path.rpartition("/")[2]
        if name not in self.players:
            return web.json_response({"error": "no such player"}, status=404)
        rating = self.players[name]
        return web.json_response({"id": f"p-{name}", "rating": rating, "solved": 7})


@pytest.fixture
def new_file(tmp_path: Path) -> Iterator[None]:
    folder = tmp_path / "platforms"
    folder.mkdir()
    (folder / "trivia.py").write_text(FILE)
    syncd.platforms.__path__.append(str(folder))
    yield
    syncd.platforms.__path__.remove(str(folder))
    sys.modules.pop("syncd.platforms.trivia")


@pytest.fixture
def game() -> Game:
    return Game()


@pytest.fixture
async def world(
    new_file: None, database: Database, tmp_path: Path, game: Game
) -> AsyncIterator[Syncing]:
    async with (
        serve(game) as url,
        syncing(database, tmp_path, url, clock=FakeClock(), platform="trivia", token="") as world,
    ):
        yield world


async def test_platform_of_one_file_is_configured_and_its_profiles_are_stored(
    world: Syncing, game: Game
) -> None:
    await world.link({"u1": "ada", "u2": "bo", "u3": "nobody"})

    first = await world.run()
    game.players["bo"] = 1250.0
    second = await world.run()

    ada, bo = await world.account("u1"), await world.account("u2")
    assert (first.outcome, first.report.created, first.report.failures) == (
        Outcome.PARTIAL,
        2,
        {"not_found": 1},
    )
    assert (second.report.updated, second.report.unchanged) == (1, 1)
    assert (ada["rating"], ada["solved"], ada["external_id"]) == (1815.5, 7, "p-ada")
    assert (bo["rating"], bo["raw"]["rating"], bo["followers"]) == (1250.0, 1250.0, None)


async def test_bug_in_the_file_ends_the_account_and_not_the_run(world: Syncing, game: Game) -> None:
    game.players["bo"] = "not a number"  # type: ignore[assignment]
    await world.link({"u1": "ada", "u2": "bo"})

    run = await world.run()

    assert (run.outcome, run.report.created, run.report.failed) == (Outcome.PARTIAL, 1, 1)
    assert (await world.account("u1"))["rating"] == 1815.5
    assert (await world.account("u2"))["raw"] is None


async def asked_of_it(folder: Path, dropped: Path, payloads: Path, *files: str) -> tuple[int, str]:
    """Run what asks every platform about the one that was dropped in; return how it ended."""
    (folder / "dropped.py").write_text(
        "import syncd.platforms, syncd.sandbox\n"
        f"syncd.platforms.__path__.append({str(dropped)!r})\n"
        f"syncd.sandbox.__path__.append({str(DROPPED / 'sandbox')!r})\n"
    )
    found_on = os.pathsep.join([str(folder), str(CHECKOUT / "tests"), str(CHECKOUT)])
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pytest", "-q", "-rs", "-p", "dropped", "-p", "no:cacheprovider"),
        *(str(CHECKOUT / "tests" / file) for file in files),
        *("-k", "trivia"),
        cwd=CHECKOUT,
        env={**os.environ, "PYTHONPATH": found_on, "SYNCD_PAYLOADS": str(payloads)},
        stdout=PIPE,
    )
    told, _ = await process.communicate()
    return process.returncode or 0, told.decode()


async def test_conformance_suite_covers_a_new_platform_and_its_standin_unasked(
    tmp_path: Path,
) -> None:
    code, told = await asked_of_it(tmp_path, DROPPED / "platforms", tmp_path, "conformance")

    assert code == 0, told
    counted = re.search(r"(\d+) passed", told)
    assert counted is not None
    assert int(counted[1]) > 50


async def test_folder_of_recorded_answers_is_played_without_a_line_about_it(tmp_path: Path) -> None:
    code, told = await asked_of_it(
        tmp_path, DROPPED / "platforms", DROPPED / "payloads", *OVER_RECORDED
    )

    assert code == 0, told
    assert "recorded answers of trivia: 3 of 3 ran, no lines yet" in told


async def test_number_that_stands_in_no_recorded_answer_is_noticed_without_a_line(
    tmp_path: Path,
) -> None:
    text = (DROPPED / "platforms" / "trivia.py").read_text()
    (tmp_path / "platforms").mkdir()
    (tmp_path / "platforms" / "trivia.py").write_text(
        text.replace('player.needed_count("solved")', '41 + player.needed_count("solved")')
    )

    code, told = await asked_of_it(
        tmp_path, tmp_path / "platforms", DROPPED / "payloads", OVER_RECORDED[0]
    )

    assert code == 1, told
    assert "stored solved 48, which does not stand in trivia/player_ada_200.json" in told


async def test_platform_without_recorded_answers_is_passed_over_by_name(tmp_path: Path) -> None:
    (tmp_path / "INDEX.json").write_text("[]")

    code, told = await asked_of_it(tmp_path, DROPPED / "platforms", tmp_path, *OVER_RECORDED)

    assert code == 0, told
    assert told.count("no recorded answers of trivia") == 2
