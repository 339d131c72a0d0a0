"""A clean-up of very much: killed anywhere it goes on, and nobody waits long behind it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest
from fakes.aged import aged
from fakes.perils import COMMIT, REPORT
from fakes.postgres_proxy import Point, PostgresProxy, postgres_proxy
from fakes.running import JOB, Running, draft, running, to_job

from syncd.clock import SystemClock
from syncd.jobs.cleanup import Cleanup, CleanupOptions
from syncd.jobs.stop import Stop
from syncd.model.address import PostgresAddress
from syncd.model.run import Outcome
from syncd.runs.runner import Order
from syncd.store.database import Database

CLEAR = r"DELETE FROM (contests|runs|item_outcomes)"
LONGEST_LOCK = """
    SELECT COALESCE(EXTRACT(epoch FROM max(clock_timestamp() - xact_start)), 0)::float8
    FROM pg_stat_activity
    WHERE datname = current_database() AND state <> 'idle' AND pid <> pg_backend_pid()
        AND backend_xid IS NOT NULL
"""


@pytest.fixture
async def world(database: Database) -> AsyncIterator[Running]:
    async with running(database, SystemClock()) as world:
        yield world


@pytest.fixture
async def proxy(postgres: PostgresAddress) -> AsyncIterator[PostgresProxy]:
    async with postgres_proxy(postgres) as proxy:
        yield proxy


def work(batch: int = 100) -> Cleanup:
    return Cleanup(JOB, CleanupOptions(batch=batch))


async def killed(world: Running, proxy: PostgresProxy, point: Point) -> bool:
    """Clean up in a process that dies at a point; tell whether it came so far."""
    there = replace(world.database.settings.address, host="127.0.0.1", port=proxy.port)
    settings = replace(world.database.settings, address=replace(there, ssl="disable"))
    async with Database(settings, SystemClock()) as far:
        dead = Running(far, SystemClock(), "dead")
        run = await dead.runs.read(await dead.runs.create(draft(dead.clock)))
        assert run is not None
        order = Order(run=run, job=to_job(work()), stop=Stop())
        task = asyncio.create_task(dead.runner.execute(order))
        proxy.strike(point, task.cancel)
        await asyncio.wait({task}, timeout=20)
        assert task.done()
    return task.cancelled()


@pytest.mark.parametrize("nth", [1, 3, 5])
@pytest.mark.parametrize("point", [Point(sql=CLEAR), Point(sql=REPORT), Point(sql=COMMIT)])
async def test_a_clean_up_that_was_killed_goes_on_and_counts_each_row_once(
    world: Running, proxy: PostgresProxy, point: Point, nth: int
) -> None:
    there = aged(world)
    await there.contests(ended_days_ago=[20] * 50 + [40] * 450)
    await there.runs("busy", days_ago=[200] * 0 + list(range(400, 100, -1)))
    await there.runs("alive", days_ago=[1])

    assert await killed(world, proxy, replace(point, nth=nth))
    [left] = await world.runs.recover()
    run = await world.go_on(left, work())

    assert run.outcome is Outcome.SUCCEEDED
    assert await world.value("SELECT count(*) FROM contests") == 50
    assert await world.value("SELECT count(*) FROM runs WHERE job = 'busy'") == 50
    counts = (await world.around.stores.cleanup.counts_of([run.id]))[run.id]
    assert counts == {"contests": 450, "outcomes": 300, "runs": 250}
    assert run.report.deleted == 1_000


@pytest.mark.parametrize("rows", [20_000, pytest.param(1_000_000, marks=pytest.mark.full)])
@pytest.mark.timeout(600)
async def test_a_clean_up_of_very_much_keeps_nobody_waiting_for_a_second(
    world: Running, rows: int, record_property: Callable[[str, object], None]
) -> None:
    there = aged(world)
    share = rows // 2
    await there.contests(ended_days_ago=[40] * share)
    await there.notifications(days_ago=[100] * share, read=True)
    await there.runs("alive", days_ago=[1])
    longest = 0.0

    async def watch() -> None:
        nonlocal longest
        while True:
            longest = max(longest, await world.value(LONGEST_LOCK))
            await asyncio.sleep(0.005)

    watching = asyncio.create_task(watch())
    begun = world.clock.monotonic()
    run = await world.run(work(batch=1_000))
    took = world.clock.monotonic() - begun
    watching.cancel()

    assert run.report.deleted == 2 * share
    assert await world.value("SELECT count(*) FROM contests") == 0
    assert longest < 1
    record_property("seconds", round(took, 1))
    record_property("longest_transaction_seconds", round(longest, 3))
