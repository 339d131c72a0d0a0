"""Scores while a run goes on: no slow platform holds back what the others said."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import pytest
from fakes.batches import AT
from fakes.clock import FakeClock
from fakes.running import PLAY, Running, ScriptedPlatform, profiles, running
from fakes.waiting import until

from syncd.errors import StoreUnavailable
from syncd.jobs.profiles import Profiles, ProfilesOptions
from syncd.model.account import Account, UserEntry
from syncd.model.profile import Fetched, Profile
from syncd.model.run import Outcome
from syncd.model.score import Scale
from syncd.store.database import Database
from syncd.store.scores import Computed
from syncd.telemetry.events import RunHeldUp, ScoresComputed

SLOW = "slow"
SCALE = Scale(rating_from=0, rating_to=100, solved_full=100)


@pytest.fixture
async def world(database: Database) -> AsyncIterator[Running]:
    async with running(database, FakeClock(AT)) as world:
        yield world


async def rate(account: Account) -> Fetched:
    """Half of the rating that counts: 300 points."""
    return Fetched(
        profile=Profile(
            external_id=f"id-{account.handle}", handle=account.handle, rating=50, raw={"r": 50}
        )
    )


class Holding:
    """Answers about everybody but some, and about those when they are let go."""

    def __init__(self, *handles: str) -> None:
        self.let_go = asyncio.Event()
        self.is_reached = asyncio.Event()
        self._handles = handles

    async def __call__(self, account: Account) -> Fetched:
        if account.handle in self._handles:
            self.is_reached.set()
            await self.let_go.wait()
        return await rate(account)


async def scores(world: Running) -> dict[str, float]:
    rows = await world.rows(
        "SELECT users.key, user_scores.total FROM user_scores JOIN users ON users.id = user_id"
    )
    return {row["key"]: row["total"] for row in rows}


async def await_scores(world: Running, expected: dict[str, float]) -> None:
    async def are_there() -> bool:
        return await scores(world) == expected

    await until(are_there, what="scores while the run goes on")


async def outcome_of(world: Running, run_id: int) -> str:
    return str(await world.value("SELECT outcome FROM runs WHERE id = $1", run_id))


async def test_a_platform_that_has_ended_is_scored_while_another_goes_on(world: Running) -> None:
    slow = ScriptedPlatform(world.clock, world.bus, name=SLOW)
    platforms: Any = world.around.platforms
    platforms[SLOW] = [slow]
    world.around.stores.scores.adopt({PLAY: SCALE, SLOW: SCALE})
    world.platform.answering, slow.answering = rate, Holding("ada", "bob")
    await world.users.put(
        [UserEntry(key=key, accounts=dict.fromkeys([PLAY, SLOW], key)) for key in ("ada", "bob")]
    )

    run_id = await world.start(Profiles("sync", ProfilesOptions(platforms=(PLAY, SLOW))))
    await await_scores(world, {"ada": 300.0, "bob": 300.0})
    meanwhile = await outcome_of(world, run_id)
    slow.answering.let_go.set()
    await world.end_of(run_id)

    assert meanwhile == "running"
    assert await scores(world) == {"ada": 600.0, "bob": 600.0}


async def test_a_platform_that_goes_on_is_scored_about_every_minute(
    world: Running,
) -> None:
    await world.link(3)
    world.platform.answering = holding = Holding("h0002")

    run_id = await world.start(profiles(claim=1))
    await holding.is_reached.wait()
    await world_has_stored(world, 2)
    before = await scores(world)
    await pass_minute(world)
    await await_scores(world, {"u0000": 300.0, "u0001": 300.0})
    meanwhile = await outcome_of(world, run_id)
    holding.let_go.set()
    await world.end_of(run_id)

    assert (before, meanwhile) == ({}, "running")
    assert len(await scores(world)) == 3
    assert [each.users for each in world.told(ScoresComputed)] == [2, 1]


async def world_has_stored(world: Running, count: int) -> None:
    async def has_stored() -> bool:
        return bool(await world.value("SELECT count(*) FROM profiles") == count)

    await until(has_stored, what=f"{count} profiles to be stored")


async def pass_minute(world: Running) -> None:
    assert isinstance(world.clock, FakeClock)
    await world.clock.advance(61)


@pytest.mark.parametrize("options", [{"dry_run": True}, {}])
async def test_a_run_that_can_change_no_score_computes_none_meanwhile(
    world: Running, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any]
) -> None:
    asked: list[datetime] = []
    store = world.around.stores.scores
    compute = store.compute

    async def count(at: datetime, *rest: Any) -> Computed:
        asked.append(at)
        return await compute(at, *rest)

    monkeypatch.setattr(store, "compute", count)
    if not options:
        store.adopt({SLOW: SCALE})
    await world.link(3)
    world.platform.answering = holding = Holding("h0002")

    run_id = await world.start(profiles(claim=1), **options)
    await holding.is_reached.wait()
    await pass_minute(world)
    meanwhile = len(asked)
    holding.let_go.set()
    await world.end_of(run_id)

    assert meanwhile == 0
    assert len(asked) == (0 if options else 1)


async def test_a_database_that_is_away_as_scores_are_computed_only_holds_the_run_up(
    world: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = world.around.stores.scores
    compute = store.compute

    async def fail_once(at: datetime, *rest: Any) -> Computed:
        monkeypatch.setattr(store, "compute", compute)
        raise StoreUnavailable("PostgreSQL is away")

    monkeypatch.setattr(store, "compute", fail_once)
    await world.link(3)
    world.platform.answering = holding = Holding("h0002")

    run_id = await world.start(profiles(claim=1))
    await holding.is_reached.wait()
    await world_has_stored(world, 2)
    await pass_minute(world)
    holding.let_go.set()
    assert isinstance(world.clock, FakeClock)
    run = await world.clock.run(world.end_of(run_id))

    assert [each.error for each in world.told(RunHeldUp)] == ["PostgreSQL is away"]
    assert (run.outcome, run.report.created) == (Outcome.SUCCEEDED, 3)
    assert len(await scores(world)) == 3
