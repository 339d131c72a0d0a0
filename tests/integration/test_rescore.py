"""`syncd rescore`, `[score]` and the score in `why`: real control, store, port and command."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from fakes.control import TOKEN
from fakes.controlled import Desk, controlled, text_for
from fakes.daemon import AnswerService, fake_daemon, write_config
from fakes.waiting import until

from syncd.cli import main
from syncd.model.account import UserEntry
from syncd.sandbox.github import GitHubStandIn
from syncd.store.database import Database
from syncd.telemetry.events import ScoresComputed
from syncd.web.server import ControlServer, ControlSettings

PEOPLE = {"ada": (1622.0, 100, {"easy": 40, "medium": 50, "hard": 10}), "bob": (None, 0, None)}
SCALE = """
[score.github]
rating_from = 800
rating_to = 3000
solved_full = 2000
solved_weights = { easy = 1, medium = 2, hard = 4 }
"""
LINES = [
    "497.7 = skill 224.2 + volume 273.6 (rounded once, from the exact sum)",
    "skill 224.2 = 600 x (1622 - 800) / 2200",
    (
        "volume 273.6 = 400 x ln(1 + 180) / ln(1 + 2000), "
        "180 = 1 x 40 easy + 2 x 50 medium + 4 x 10 hard"
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A control over a store with scored users, its port, and the command line."""

    desk: Desk
    config: Path
    file: Path

    async def syncd(self, *arguments: str) -> int:
        return await asyncio.to_thread(main, ["--config", str(self.config), *arguments])

    async def totals(self) -> dict[str, float]:
        rows = await self.fetch(
            "SELECT users.key, total FROM user_scores JOIN users ON users.id = user_id"
        )
        return {row["key"]: row["total"] for row in rows}

    async def fetch(self, sql: str, *values: Any) -> list[Any]:
        async with self.desk.core.database.connection() as connection:
            return list(await connection.fetch(sql, *values))

    async def settled(self) -> None:
        async def is_idle() -> bool:
            return not (await self.desk.control.rescoring())["running"]

        await until(is_idle, what="scores to be computed")


@pytest.fixture
async def world(database: Database, base_url: str, tmp_path: Path) -> AsyncIterator[World]:
    folder = tmp_path / "cli"
    folder.mkdir()
    text = text_for(database.settings.address, database.settings.schema, base_url) + SCALE
    async with controlled(text, tmp_path) as desk, scoring(desk):
        await desk.core.health.ready.wait()
        async with ControlServer(
            desk.control, ControlSettings(port=0, token=TOKEN), bus=desk.core.bus, clock=desk.clock
        ) as server:
            config = write_config(folder, server.port)
            world = World(desk=desk, config=config, file=tmp_path / "config.toml")
            await store_people(world)
            yield world


@asynccontextmanager
async def scoring(desk: Desk) -> AsyncIterator[None]:
    """Compute in the background, as the daemon does."""
    desk.core.changes.on_adopt(desk.core.scoring.adopt)
    async with asyncio.TaskGroup() as group:
        keeping = group.create_task(desk.core.scoring.keep())
        yield
        keeping.cancel()


async def store_people(world: World) -> None:
    """Store what a platform with ratings said."""
    for key in PEOPLE:
        await world.desk.control.put_user(UserEntry(key=key, accounts={"github": key}))
    # What the background finds to compute by itself must not be these numbers.
    await world.settled()
    for key, (rating, solved, solved_by) in PEOPLE.items():
        await world.fetch(
            """
            INSERT INTO profiles (account_id, rating, solved, solved_by, raw, raw_hash,
                mapper_version, fetched_at, changed_at)
            SELECT accounts.id, $2, $3, $4, '{}', '', 1, now(), now()
            FROM accounts JOIN users ON users.id = user_id WHERE key = $1
            RETURNING account_id
            """,
            *(key, rating, solved, solved_by),
        )


async def test_rescore_computes_everybody_without_one_fetch_and_says_so(
    world: World, standin: GitHubStandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    code = await world.syncd("rescore")

    written = capsys.readouterr()
    assert code == 0
    assert await world.totals() == {"ada": 497.7, "bob": 0.0}
    assert "2 scores computed, 2 changed, 0 removed, formula 1-" in written.out
    assert "scores  2/2" in written.err
    assert standin.counters.requests == 0


async def test_rescore_answers_in_json_and_a_second_time_changes_nothing(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    await world.syncd("rescore", "--json")
    capsys.readouterr()

    code = await world.syncd("rescore", "--json")

    answer = json.loads(capsys.readouterr().out)
    assert code == 0
    assert (answer["running"], answer["done"], answer["changed"]) == (False, 2, 0)


async def test_why_tells_the_arithmetic_of_the_very_numbers_that_are_stored(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    await world.syncd("rescore")
    capsys.readouterr()

    await world.syncd("why", "ada", "--json")
    told = json.loads(capsys.readouterr().out)
    await world.syncd("why", "ada")
    words = capsys.readouterr().out

    [row] = await world.fetch("SELECT parts, formula_version FROM user_scores WHERE total > 0")
    [account] = told["accounts"]
    stored = row["parts"]["github"]
    assert {name: account["score"][name] for name in stored} == stored
    assert account["score"]["arithmetic"] == LINES
    assert (told["score"]["total"], told["score"]["arithmetic"]) == (497.7, "497.7 = 497.7 github")
    said = " ".join(words.split())
    assert all(line in said for line in LINES)
    assert f"score 497.7 = 497.7 github, formula {row['formula_version']} of " in said
    # A command stays on one line, for whoever copies it.
    assert max(len(line) for line in words.splitlines() if "`" not in line) < 80


async def test_why_says_what_is_not_known_and_what_failed(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    await world.fetch(
        """
        INSERT INTO sync_state (account_id, kind, platform, outcome, succeeded_at, attempted_at)
        SELECT accounts.id, 'profiles', 'github', 'blocked', '2026-01-01 00:00+00', now()
        FROM accounts JOIN users ON users.id = user_id WHERE key = 'bob' RETURNING account_id
        """
    )
    await world.syncd("rescore")
    await world.syncd("why", "bob", "--json")

    [account] = json.loads(capsys.readouterr().out.split("\n", 1)[1])["accounts"]

    assert account["score"]["arithmetic"] == [
        "0.0 = skill 0.0 + volume 0.0",
        "skill 0.0: unrated",
        "volume 0.0 = 400 x ln(1 + 0) / ln(1 + 2000)",
        "stale: the last attempt failed, the numbers are of 2026-01-01 00:00 UTC",
    ]


async def test_why_of_who_has_no_score_invents_none(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    await world.desk.control.put_user(UserEntry(key="eve", accounts={"github": "eve"}))
    await world.settled()

    await world.syncd("why", "eve")

    written = capsys.readouterr().out
    assert "score  no platform gives a part" in written
    assert "no part: no good answer so far" in written


async def test_why_of_a_gone_account_says_that_it_is_gone_and_nothing_else(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    await world.fetch("UPDATE accounts SET state = 'gone', state_since = now() RETURNING id")
    await world.syncd("rescore")
    capsys.readouterr()

    await world.syncd("why", "ada", "--json")

    [account] = json.loads(capsys.readouterr().out)["accounts"]
    assert account["score"]["arithmetic"] == ["no part: the account is gone"]


async def test_a_reload_with_other_parameters_computes_everybody_again_without_a_fetch(
    world: World, standin: GitHubStandIn
) -> None:
    await world.syncd("rescore")
    world.file.write_text(world.file.read_text() + "weight = 2\n")

    tried = await world.desk.control.reload(dry_run=True, actor="ops")
    before = await world.totals()
    done = await world.desk.control.reload(dry_run=False, actor="ops")
    await world.settled()

    assert [(each["key"], each["needs_restart"]) for each in done["differences"]] == [
        ("score.github.weight", False)
    ]
    assert tried["differences"] == done["differences"]
    assert (before["ada"], (await world.totals())["ada"]) == (497.7, 995.4)
    assert standin.counters.requests == 0


async def test_a_start_with_other_parameters_computes_everybody_again(
    world: World, tmp_path: Path
) -> None:
    await world.syncd("rescore")
    folder = tmp_path / "next"
    folder.mkdir()
    text = world.file.read_text() + "weight = 3\n"
    told: list[Any] = []

    async with controlled(text, folder) as desk, scoring(desk):
        with desk.core.bus.subscribed(told.append):
            await desk.core.health.ready.wait()
            await desk.core.learn()
            next_world = World(desk=desk, config=world.config, file=world.file)
            await next_world.settled()
            first = [event for event in told if isinstance(event, ScoresComputed)]
            await desk.core.learn()
            await next_world.settled()

    assert (await world.totals())["ada"] == 1493.1
    assert [event.changed for event in first] == [2]
    # What is right already is not computed by the next start.
    assert [event for event in told if isinstance(event, ScoresComputed)] == first


async def test_a_disconnected_account_costs_its_part_at_once(world: World) -> None:
    await world.syncd("rescore")

    await world.desk.control.put_user(UserEntry(key="ada", accounts={"github": ""}))
    await world.settled()

    assert await world.totals() == {"bob": 0.0}


async def test_a_command_whose_daemon_cannot_compute_ends_with_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    service = AnswerService()
    service.scored = [
        {
            "running": False,
            "error": "another syncd leads",
            "formula_version": "1-0",
            "total": 9,
            "done": 0,
            "changed": 0,
            "removed": 0,
            "duration_seconds": 0.0,
        }
    ]
    async with fake_daemon(tmp_path, service) as daemon:
        code = await daemon.syncd("rescore")

    assert code == 1
    assert "another syncd leads" in capsys.readouterr().err
    assert service.orders == [("rescore",)]
