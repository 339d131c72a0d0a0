"""What a run leaves of itself in its session, and what it writes about its end."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from fakes.benches import JOB, World, pages

from syncd.errors import LeaseLost
from syncd.model.lease import Candidate
from syncd.store.database import Database
from syncd.store.leases import LeaseStore

ONE = (1.0, 1.0, 1.0, 1.0)
SESSION = """
    SELECT
        (SELECT jsonb_object_agg(name, setting) FROM pg_settings) AS settings,
        (SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory')
            AS locks,
        (SELECT count(*) FROM pg_class WHERE relnamespace = pg_my_temp_schema()) AS tables
"""


@pytest.fixture
def world(database: Database) -> World:
    return World.over(database)


async def session(world: World) -> dict[str, Any]:
    [found] = await world.rows(SESSION)
    return found


async def test_a_run_leaves_its_session_as_it_was(world: World) -> None:
    before = await session(world)

    await world.sync({"ada": ONE, "bob": ONE})
    await world.sync({"ada": ONE})

    assert await session(world) == before
    assert (before["locks"], before["tables"]) == (0, 0)


async def test_how_both_sides_stand_is_not_noted_by_who_does_not_lead_any_more(
    world: World,
) -> None:
    leases = LeaseStore(world.database)
    first = Candidate(holder="first", instance="first", version="1")
    epoch = await leases.take(first, timedelta(minutes=5))
    assert epoch is not None
    world.runs.fence.open(epoch)
    run_id = await world.begin()

    async with world.store.bench(JOB, world.target) as bench:
        await bench.check()
        await bench.stage(pages({"ada": ONE}))
        await bench.compare(partial=False, guard=world.guard, at=world.at)
        await bench.apply(run_id, world.at, world.verdict, world.books())
        drift = await bench.drift()
        await leases.release(epoch)
        second = Candidate(holder="second", instance="second", version="1")
        assert await leases.take(second, timedelta(minutes=5)) == epoch + 1
        with pytest.raises(LeaseLost):
            await bench.note_drift(run_id, drift, {})

    assert await world.value("SELECT drift IS NULL FROM reconciliations")


async def test_a_row_that_is_refused_costs_no_other_one_its_place(world: World) -> None:
    await world.rows("ALTER TABLE pomo_leaderboard ADD CHECK (daily_pomo <> 13)")
    await world.sync({f"u{n}": ONE for n in range(9)})

    said = {f"u{n}": (13.0 if n == 4 else 2.0, 1.0, 1.0, 1.0) for n in range(1, 10)}
    passed = await world.sync(said)

    report = passed.applied.report
    assert (report.created, report.updated, report.deleted, report.failed) == (1, 7, 1, 1)
    assert (await world.table())["u4"] == ONE
    assert passed.drift.rows == 0
