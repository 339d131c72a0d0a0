"""For any two states: one run makes them equal, the next changes nothing; killed or not."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace

from fakes.benches import World
from fakes.postgres_proxy import Point, When, postgres_proxy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from syncd.clock import SystemClock
from syncd.errors import StoreUnavailable
from syncd.store.database import Database
from syncd.store.pool import DatabaseSettings

Row = tuple[float | None, ...]
State = dict[str, Row]

VERSIONS = "SELECT ctid::text, xmin::text, * FROM pomo_leaderboard ORDER BY user_id"
# Ids that an index orders otherwise than people do, and those that COPY must be told about.
NAMES = [f"{name}{n}" for name in ("a", "B", "é", "\\", "\t", "new\n") for n in range(5)]

amounts = st.integers(0, 3).map(float) | st.floats(0, allow_infinity=False, allow_nan=False)
boards = st.dictionaries(
    st.sampled_from(NAMES),
    st.tuples(*[st.none() | amounts] * 4).filter(lambda row: set(row) != {None}),
    max_size=len(NAMES),
)
# A user may be read again, with scores that are as good.
repeats = st.lists(st.sampled_from(NAMES), max_size=4)
tables = st.dictionaries(st.sampled_from(NAMES), st.tuples(*[amounts] * 4), max_size=len(NAMES))
cuts = st.tuples(st.integers(1, 45), st.sampled_from(When))
EXAMPLES = 200 if os.environ.get("SYNCD_FULL") == "1" else 20
once = settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.function_scoped_fixture])


def stored(said: State) -> dict[str, tuple[float, ...]]:
    return {user: tuple(score or 0.0 for score in row) for user, row in said.items()}


async def fill(world: World, table: dict[str, tuple[float, ...]]) -> None:
    await world.rows("TRUNCATE pomo_leaderboard, leaderboard_missing, leaderboard_tombstones")
    for user, row in table.items():
        await world.rows("INSERT INTO pomo_leaderboard VALUES ($1, $2, $3, $4, $5)", user, *row)


async def check(
    world: World, table: dict[str, tuple[float, ...]], said: State, run_id: int
) -> None:
    """Look whether the table is what was said, and the run counted what that took."""
    wanted = stored(said)
    assert await world.table() == dict(sorted(wanted.items()))
    report = await world.report(run_id)
    common = wanted.keys() & table.keys()
    updated = sum(wanted[user] != table[user] for user in common)
    counts = (report.created, report.updated, report.deleted, report.unchanged)
    assert counts == (
        len(wanted.keys() - common),
        updated,
        len(table.keys() - common),
        len(common) - updated,
    )
    assert (report.skipped, report.failed, report.failures) == (0, 0, {})
    before = await world.rows(VERSIONS)
    again = await world.sync(said)
    assert again.applied.report.unchanged == len(wanted)
    assert again.drift.rows == 0
    assert await world.rows(VERSIONS) == before


@given(table=tables, said=boards, again=repeats, size=st.integers(1, 40))
@once
def test_one_run_makes_them_equal_and_the_next_changes_nothing(
    database: Database,
    table: dict[str, tuple[float, ...]],
    said: State,
    again: list[str],
    size: int,
) -> None:
    async def compare() -> None:
        async with Database(database.settings, SystemClock()) as own:
            world = World.over(own)
            await fill(world, table)
            users = [*said.items(), *((user, said[user]) for user in again if user in said)]
            passed = await world.sync(users, size=size)
            await check(world, table, said, passed.run_id)

    asyncio.run(compare())


@given(table=tables, said=boards, cut=cuts)
@once
def test_a_run_that_is_killed_and_repeated_comes_to_the_same(
    database: Database,
    table: dict[str, tuple[float, ...]],
    said: State,
    cut: tuple[int, When],
) -> None:
    async def compare() -> None:
        async with Database(database.settings, SystemClock()) as own:
            near = World.over(own)
            await fill(near, table)
            run_id = await near.begin()
            await killed(database.settings, said, run_id, Point(nth=cut[0], when=cut[1]))
            await near.sync(said, run_id=run_id)
            await check(near, table, said, run_id)

    asyncio.run(compare())


async def killed(settings: DatabaseSettings, said: State, run_id: int, point: Point) -> None:
    """Do a run whose line is cut at some statement, if it gets that far."""
    async with postgres_proxy(settings.address) as proxy:
        address = replace(settings.address, host="127.0.0.1", port=proxy.port, ssl="disable")
        async with Database(replace(settings, address=address), SystemClock()) as far:
            await far.ping()
            proxy.strike(point)
            try:
                await World.over(far, batch=1).sync(said, run_id=run_id)
            except StoreUnavailable:
                return
