"""Cut off between statements and at every commit, and gone on with: the same rows, counted once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from fakes.announced import Herald, contest, job_over, listing
from fakes.postgres_proxy import Point, PostgresProxy, When, postgres_proxy
from fakes.running import JOB, Running, draft, running, to_job
from fakes.waiting import until

from syncd.clock import SystemClock
from syncd.jobs.contests import Contests
from syncd.jobs.stop import Stop
from syncd.model.contest import Contest, ContestList
from syncd.model.run import Outcome
from syncd.runs.runner import Order
from syncd.store.database import Database

CLOCK = SystemClock()
PLACES = ("codeforces", "atcoder")
LOOK = r"INSERT INTO contest_looks"
ENDING = r"UPDATE runs\b.*SET outcome = ending\.outcome"
WITHIN = {
    "looking for those missing": r"WITH missing AS",
    "storing": r"WITH told AS",
    "noting the look": LOOK,
    "counting": r"UPDATE runs\b.*SET created = (runs\.)?created \+",
}
POINTS = [
    *(
        pytest.param(Point(sql=sql, nth=nth), id=f"before {name}, {nth}")
        for name, sql in WITHIN.items()
        for nth in (1, 2)
    ),
    pytest.param(Point(sql=ENDING), id="before ending"),
    *(
        pytest.param(Point(sql="^COMMIT", within=LOOK, when=when, nth=nth), id=f"{nth}, {when}")
        for nth in (1, 2)
        for when in When
    ),
]
QUIET = """
    SELECT count(*) = 0 FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database
    WHERE locktype = 'advisory' AND datname = current_database()
"""


@pytest.fixture
async def line(database: Database) -> AsyncIterator[PostgresProxy]:
    async with postgres_proxy(database.settings.address) as proxy:
        yield proxy


def told(place: str, contests: Sequence[Contest]) -> ContestList:
    return listing([replace(each, platform=place) for each in contests], source=place)


def jobs_of(world: Running, contests: Sequence[Contest]) -> Contests:
    return job_over(world, *(Herald(world, place, told(place, contests)) for place in PLACES))


def first_lists() -> list[Contest]:
    start = CLOCK.now().replace(microsecond=0) + timedelta(hours=1)
    return [contest(n, starts_at=start + timedelta(hours=n)) for n in range(10)]


async def killed(
    world: Running, proxy: PostgresProxy, point: Point, now: Sequence[Contest]
) -> None:
    """Run in a process that reaches PostgreSQL through a proxy and dies at a point."""
    database = world.database
    there = replace(database.settings.address, host="127.0.0.1", port=proxy.port, ssl="disable")
    async with Database(replace(database.settings, address=there), CLOCK) as far:
        dead = Running(far, CLOCK, "dead")
        run_id = await dead.runs.create(draft(CLOCK, kind="contests"))
        run = await dead.runs.read(run_id)
        assert run is not None
        order = Order(run=run, job=to_job(jobs_of(dead, now)), stop=Stop())
        task = asyncio.create_task(dead.runner.execute(order))
        fell = proxy.strike(point, task.cancel)
        await asyncio.wait({task}, timeout=20)
        assert task.done()
    assert fell.is_set()

    async def is_quiet() -> bool:
        return bool(await world.value(QUIET))

    await until(is_quiet, what="the dead session is gone")


@pytest.mark.parametrize("point", POINTS)
async def test_a_run_that_was_cut_off_comes_to_the_same_rows_and_counts_each_once(
    database: Database, line: PostgresProxy, point: Point
) -> None:
    async with running(database, CLOCK) as world:
        before = first_lists()
        gone, missing, moved, renamed, *others = before
        await world.run(jobs_of(world, before))
        await world.run(jobs_of(world, before[1:]))
        shift = timedelta(hours=2)
        new = contest(77, starts_at=moved.starts_at)
        now = [
            replace(moved, starts_at=moved.starts_at + shift, ends_at=moved.ends_at + shift),
            replace(renamed, name="Another"),
            *others,
            new,
        ]

        await killed(world, line, point, now)
        lefts = await world.runs.recover()
        for left in lefts:
            await world.go_on(left, jobs_of(world, now))

        [run] = await world.runs.list_newest(JOB, None, 1)
        report = run.report
        assert run.outcome is Outcome.SUCCEEDED
        assert (report.created, report.updated, report.seen) == (2, 6, 2 * (len(now) + 1))
        for place in PLACES:
            rows = await rows_of(world, place)
            assert rows.pop(gone.external_id) == ("cancelled", 1, 2)
            assert rows.pop(missing.external_id) == ("announced", 1, 1)
            assert rows.pop(moved.external_id) == ("moved", 2, 0)
            assert set(rows) == {each.external_id for each in (renamed, *others, new)}
            assert set(rows.values()) == {("announced", 1, 0)}
            assert await changes_of(world, place) == {
                (gone.external_id, "cancelled"): 1,
                (moved.external_id, "start"): 1,
                (moved.external_id, "end"): 1,
                (renamed.external_id, "name"): 1,
            }


async def rows_of(world: Running, place: str) -> dict[str, Any]:
    rows = await world.rows(
        "SELECT external_id, occasion, schedule_version, missing_looks FROM contests"
        " WHERE platform = $1",
        place,
    )
    return {row.pop("external_id"): tuple(row.values()) for row in rows}


async def changes_of(world: Running, place: str) -> dict[tuple[str, str], int]:
    rows = await world.rows(
        "SELECT external_id, what, count(*) FROM contest_changes"
        " JOIN contests ON contests.id = contest_id WHERE platform = $1 GROUP BY 1, 2",
        place,
    )
    return {(row["external_id"], row["what"]): row["count"] for row in rows}
