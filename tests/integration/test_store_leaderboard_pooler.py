"""Through PgBouncer in transaction mode: one transaction, and nothing left behind there."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from fakes.benches import JOB, World

from syncd.errors import StoreUnavailable, TargetBusy
from syncd.store.database import Database

pytestmark = pytest.mark.needs_tool("pgbouncer")

ONE = (1.0, 1.0, 1.0, 1.0)
LOCKS = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"


@pytest.fixture
async def world(bounced: Database) -> World:
    await bounced.ping()
    return World.over(bounced, batch=100)


async def test_boards_are_synced_held_and_taken_back_through_it(world: World) -> None:
    said = {f"u{n:04}": (n, 1, 1, 1) for n in range(1_000)}
    await world.sync(said)
    passed = await world.sync({user: said[user] for user in list(said)[:400]})
    assert (passed.applied.report.deleted, passed.drift.rows) == (600, 0)

    run_id = await world.begin()
    async with world.store.bench(JOB, world.target) as bench:
        await bench.check()
        report = await bench.undo(run_id, passed.run_id, world.at)

    assert report.created == 600
    assert (await world.sync(said)).applied.report.unchanged == 1_000
    assert await world.value(LOCKS) == 0


async def test_a_row_that_is_refused_there_is_set_aside(world: World) -> None:
    await world.rows("ALTER TABLE pomo_leaderboard ADD CHECK (daily_pomo <> 13)")

    passed = await world.sync({f"u{n:04}": (n, 1, 1, 1) for n in range(300)})

    assert (passed.applied.report.created, passed.applied.report.failed) == (299, 1)


async def test_one_at_a_time_works_on_a_table_there_too(world: World) -> None:
    async def second() -> None:
        async with world.store.bench("another", world.target):
            pass

    async with world.store.bench(JOB, world.target):
        with pytest.raises(TargetBusy):
            await second()

    await second()


async def test_a_run_that_is_cancelled_there_leaves_nothing(
    world: World, database: Database
) -> None:
    await world.sync({"ada": ONE})
    inside = asyncio.Event()

    async def hold() -> None:
        async with world.store.bench(JOB, world.target) as bench:
            await bench.check()
            await bench.back_up(await World.over(database).begin(), world.at, timedelta(days=1))
            inside.set()
            await asyncio.sleep(60)

    holding = asyncio.create_task(hold())
    await inside.wait()
    holding.cancel()
    with pytest.raises((asyncio.CancelledError, StoreUnavailable)):
        await holding

    assert await world.value("SELECT count(*) FROM leaderboard_backups") == 0
    await world.sync({"ada": ONE})
