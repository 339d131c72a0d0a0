"""How a table follows its boards: on the first screen, in metrics and in the log."""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from fakes.followed import JOB, Followed, followed
from fakes.valkey import NewServer, ValkeyServer
from fakes.waiting import until
from prometheus_client.parser import text_string_to_metric_families

from syncd.cli.status import fresh_in_words
from syncd.daemon.process import logging_to
from syncd.model.run import Outcome
from syncd.store.database import Database

CAREFUL = 'guard = { rows = 2, share = 0.0, runs = 1, wait = "0s" }'
USERS = [f"user-{number:02}" for number in range(30)]
BringUp = Callable[[], AbstractAsyncContextManager[Followed]]
LOGGING = '\n[logging]\ndir = "logs"\nlevel = "debug"\nformat = "json"\n'


@pytest.fixture
def server(new_valkey: NewServer) -> ValkeyServer:
    return new_valkey(port=None)


@pytest.fixture
def bring_up(database: Database, server: ValkeyServer, tmp_path: Path) -> BringUp:
    settings, options = database.settings, CAREFUL + LOGGING
    return lambda: followed(settings.address, settings.schema, server, tmp_path, options=options)


@pytest.fixture
async def world(bring_up: BringUp) -> AsyncIterator[Followed]:
    async with bring_up() as world:
        await world.write(daily=dict.fromkeys(USERS, 2), weekly={USERS[0]: 0.5})
        yield world


async def measured(world: Followed) -> dict[tuple[str, ...], float] | None:
    """Scrape; values by name and labels, sorted by theirs. None before PostgreSQL was asked."""
    _, text = await world.ask("GET", "/metrics")
    found = {
        (sample.name.removeprefix("syncd_leaderboard_"), *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name.startswith("syncd_leaderboard_")
    }
    return found if ("drift_rows", JOB) in found else None


@contextlib.contextmanager
def logged(world: Followed) -> Iterator[None]:
    """Write what happens into the files that config.toml names."""
    core = world.desk.core
    with (
        Path(os.devnull).open("wb") as nowhere,
        logging_to(core.config, core.clock, core.bus, output=nowhere.fileno()),
    ):
        yield


async def test_before_the_first_run_nothing_is_known(world: Followed) -> None:
    job, problems, notes = await world.status()

    assert (job["leaderboard"], problems, notes) == (None, [], [])


async def test_after_a_sync_both_sides_are_the_same(world: Followed) -> None:
    await world.sync()

    job, problems, notes = await world.status()
    told = job["leaderboard"]

    assert (told["redis_users"], told["postgres_users"], told["rows"]) == (30, 30, 0)
    assert told["boards"]["daily"] == {
        "redis_users": 30,
        "redis_sum": 60,
        "postgres_users": 30,
        "postgres_sum": 60,
    }
    assert (told["held"], told["waiting"], told["plan"]) == (0, 0, None)
    assert fresh_in_words(job) == "30 rows, 0 off"
    assert (problems, notes) == ([], [])


async def test_what_the_guard_holds_is_one_problem_with_the_orders_that_decide(
    world: Followed,
) -> None:
    await world.sync()
    await world.remove(*USERS[:3])

    code, body = await world.sync()
    job, problems, _ = await world.status()

    assert (code, body["success"], body["stats"]["held"]) == (200, True, 3)
    assert body["message"].startswith("Sync completed, and something waits for a person: ")
    (problem,) = problems
    plan = job["leaderboard"]["plan"]["id"]
    assert problem["what"].startswith("leaderboard holds 3 deletions (10 % of 30): ")
    assert f"`syncd approve {plan}`" in problem["hint"]
    assert "`syncd plan leaderboard`" in problem["hint"]
    assert fresh_in_words(job) == "30 rows, 0 off, 3 held"


async def test_metrics_tell_both_sides_also_after_a_restart(bring_up: BringUp) -> None:
    async with bring_up() as before:
        await before.write(daily=dict.fromkeys(USERS, 2), weekly={USERS[0]: 0.5})
        await before.sync()
        await before.remove(*USERS[:3])
        await before.sync()

    async with bring_up() as after:
        found = await until(partial(measured, after), what="PostgreSQL to be asked")

    assert found is not None
    assert found["users", JOB, "redis"] == 27
    assert found["users", JOB, "postgresql"] == 30
    assert found["score_sum", "daily", JOB, "redis"] == 54
    assert found["score_sum", "daily", JOB, "postgresql"] == 60
    assert (found["drift_rows", JOB], found["held_deletes", JOB]) == (0, 3)
    assert found["waiting_deletes", JOB] == 0
    assert [labels for labels in found if labels[0] == "phase_seconds"]


async def test_the_log_of_its_purpose_has_the_sentences_that_people_search_for(
    world: Followed, tmp_path: Path
) -> None:
    with logged(world):
        await world.sync()
        world.server.stop()
        _, run = await world.ask("POST", f"/api/jobs/{JOB}/trigger", {})
        await until(partial(ended, world, run["id"]), what="the run to fail")

    text = (tmp_path / "logs" / "leaderboard-current.log").read_text()
    messages = [line.split(" event=")[0].split(maxsplit=1)[1] for line in text.splitlines()]
    told = [message for message in messages if not message.startswith("DEBUG")]
    assert told == [
        "INFO     Starting Redis -> PostgreSQL sync",
        "INFO     Sync completed",
        "INFO     Starting Redis -> PostgreSQL sync",
        "ERROR    Redis cache unavailable",
    ]
    assert "created=30" in text
    assert "DEBUG    Phase " in text


async def ended(world: Followed, run_id: int) -> Any:
    _, run = await world.ask("GET", f"/api/runs/{run_id}")
    return run if Outcome(run["outcome"]).is_final else None
