"""The table follows the boards: what comes, changes and goes, with counts that are true."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from fakes.benches import AT, BOARDS, JOB, World, pages

from syncd.model.leaderboard import BoardDrift, Guard, Verdict
from syncd.store.database import Database

WAL = "SELECT pg_current_wal_insert_lsn() - $1::text::pg_lsn"
HERE = "SELECT pg_current_wal_insert_lsn()::text"
VERSIONS = "SELECT ctid::text, xmin::text, * FROM pomo_leaderboard ORDER BY user_id"
LEFT_BEHIND = (
    "SELECT relname FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace "
    "WHERE nspname LIKE 'pg_temp%' AND relname LIKE 'lb%'"
)
LOCKS = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"


@pytest.fixture
def world(database: Database) -> World:
    return World.over(database)


def crowd(count: int) -> dict[str, tuple[float, ...]]:
    return {f"u{n:05}": (n % 7, n % 50, n, n + 1) for n in range(count)}


async def test_the_table_becomes_what_the_boards_say(world: World) -> None:
    await world.sync({"ada": (1, 2, 3, 4), "bob": (None, 5, None, 0.25)})
    first = await world.table()

    passed = await world.sync({"ada": (1, 2, 3, 9), "cy": (1, None, None, 1)})

    assert first == {"ada": (1, 2, 3, 4), "bob": (0, 5, 0, 0.25)}
    assert await world.table() == {"ada": (1, 2, 3, 9), "cy": (1, 0, 0, 1)}
    report = await world.report(passed.run_id)
    assert (report.created, report.updated, report.deleted, report.unchanged) == (1, 1, 1, 0)
    assert report.seen == 3
    assert passed.drift.rows == 0


async def test_a_second_run_writes_nothing_and_leaves_nothing(world: World) -> None:
    await world.sync(crowd(500))
    await world.sync(crowd(500))
    before, here = await world.rows(VERSIONS), await world.value(HERE)

    passed = await world.sync(crowd(500))

    assert await world.rows(VERSIONS) == before
    # The catalog entries of temporary tables, and the rows about the run.
    assert await world.value(WAL, here) < 150_000
    assert (await world.report(passed.run_id)).unchanged == 500
    assert await world.rows(LEFT_BEHIND) == []
    assert await world.value(LOCKS) == 0


async def test_of_a_user_on_several_pages_the_greatest_scores_stay(world: World) -> None:
    await world.sync({"old": (1, 1, 1, 1), "same": (1, 1, 1, 1)})
    said = [
        ("old", (5, None, 2, 2)),
        ("new", (3, 1, None, 1)),
        ("same", (1, 1, 1, 1)),
        ("old", (4, 9, None, 2)),
        ("new", (2, 4, None, 8)),
        ("same", (1, 1, 1, 1)),
    ]

    passed = await world.sync(said, size=2)

    assert await world.table() == {"new": (3, 4, 0, 8), "old": (5, 9, 2, 2), "same": (1, 1, 1, 1)}
    report = await world.report(passed.run_id)
    assert (report.created, report.updated, report.unchanged, report.skipped) == (1, 1, 1, 0)
    assert (passed.comparison.users, passed.drift.rows) == (3, 0)


@pytest.mark.parametrize("who", ["same", "new"])
async def test_a_user_who_is_read_twice_is_noticed_even_if_alone(world: World, who: str) -> None:
    await world.sync({"same": (1, 1, 1, 1)})
    said = {"same": (1.0, 1.0, 1.0, 1.0), who: (1.0, 1.0, 1.0, 1.0)}

    passed = await world.sync([*said.items(), (who, (1.0, 1.0, 1.0, 1.0))])

    report = await world.report(passed.run_id)
    assert (report.seen, report.skipped) == (len(said), 0)
    assert passed.drift.boards["daily"].redis_users == len(said)


async def test_the_time_that_was_told_is_kept_and_its_change_is_one(world: World) -> None:
    early, late = AT - timedelta(days=3), AT - timedelta(hours=1)
    times = "SELECT user_id, updated_at FROM pomo_leaderboard"
    said = {"told": (1, 1, 1, 1), "silent": (1, 1, 1, 1), "known": (1, 1, 1, 1)}
    await world.sync(said, told={"told": early, "known": early})
    first = {row["user_id"]: row["updated_at"] for row in await world.rows(times)}

    world.at = AT + timedelta(hours=1)
    passed = await world.sync(said, told={"told": late})

    assert first == {"told": early, "silent": AT, "known": early}
    then = {row["user_id"]: row["updated_at"] for row in await world.rows(times)}
    assert then == {"told": late, "silent": AT, "known": early}
    assert passed.applied.report.updated == 1


async def test_only_the_boards_that_are_synced_are_written(world: World) -> None:
    await world.sync({"ada": (1, 2, 3, 4)})
    world.target = replace(world.target, columns={"weekly": "weekly_pomo"})

    await world.sync({"ada": (7,), "bob": (8,)})

    assert await world.table() == {"ada": (1, 7, 3, 4), "bob": (0, 8, 0, 0)}


async def test_an_adopted_table_keeps_its_names_types_and_other_columns(world: World) -> None:
    await world.rows('DROP SCHEMA IF EXISTS "Shop ""x""" CASCADE')
    await world.rows('CREATE SCHEMA "Shop ""x"""')
    await world.rows(
        'CREATE TABLE "Shop ""x"""."sco{user}res" ("Who Is It" varchar(20) NOT NULL UNIQUE, '
        "\"da,y\" integer, nick text DEFAULT 'none', total numeric(8, 2) NOT NULL, "
        '"when" timestamptz(0) NOT NULL, twice integer GENERATED ALWAYS AS ("da,y" * 2) STORED)'
    )
    await world.rows(
        'INSERT INTO "Shop ""x"""."sco{user}res" VALUES (\'ada\', NULL, \'A\', 0.1, $1)', AT
    )
    world.target = replace(
        world.target,
        schema='Shop "x"',
        table="sco{user}res",
        user_column="Who Is It",
        updated_column="when",
        columns={"daily": "da,y", "yearly": "total"},
    )
    told = {"ada": datetime(2026, 1, 1, 0, 0, 1, 700_000, tzinfo=UTC)}
    said = {"ada": (3, 0.1), "bob": (None, 123456.78), "cy": (0.5, 1), "x" * 21: (1, 1)}

    first = await world.sync(said, told=told)
    second = await world.sync(said, told=told)

    rows = await world.rows('SELECT * FROM "Shop ""x"""."sco{user}res" ORDER BY 1')
    assert [tuple(row.values())[:3] for row in rows] == [("ada", 3, "A"), ("bob", 0, "none")]
    assert [str(row["total"]) for row in rows] == ["0.10", "123456.78"]
    assert [row["twice"] for row in rows] == [6, 0]
    assert first.applied.report.failures == {"poisoned": 2}
    assert (second.applied.report.unchanged, second.applied.report.updated) == (2, 0)
    assert second.drift.rows == 0


async def test_scores_that_a_double_cannot_tell_apart_are_counted(world: World) -> None:
    passed = await world.sync({"ada": (2.0**53, 2.0**53 - 1, 1e300, 4)})

    assert passed.comparison.inexact == 2
    assert await world.table() == {"ada": (2.0**53, 2.0**53 - 1, 1e300, 4)}


async def test_sums_do_not_overflow(world: World) -> None:
    passed = await world.sync({f"u{n}": (1.7e308, 1, 1, 1) for n in range(5)})

    assert passed.drift.rows == 0
    assert passed.drift.boards["daily"].redis_users == 5


async def test_a_score_that_became_another_is_told_from_one_that_came_or_went(
    world: World,
) -> None:
    await world.sync({"other": (1, 1, 1, 1), "came": (0, 1, 1, 1), "went": (1, 1, 1, 1)})

    passed = await world.sync({"other": (2, 1, 1, 1), "came": (1, 1, 1, 1), "went": (0, 1, 1, 1)})

    assert (passed.comparison.updated, passed.comparison.overturned) == (3, 1)


async def test_held_updates_wait_and_new_users_come(world: World) -> None:
    await world.sync({"ada": (1, 1, 1, 1)})
    world.verdict = Verdict(reasons=("every score is another one",), updates=False)

    passed = await world.sync({"ada": (2, 2, 2, 2), "bob": (1, 1, 1, 1)})

    assert await world.table() == {"ada": (1, 1, 1, 1), "bob": (1, 1, 1, 1)}
    assert passed.applied.report.failures == {"held": 1}
    assert (passed.drift.rows, passed.drift.held) == (0, 1)
    [plan] = await world.rows("SELECT deletes, updates, holds_updates, state FROM plans")
    assert plan == {"deletes": 0, "updates": 1, "holds_updates": True, "state": "held"}


@pytest.mark.parametrize(
    ("said", "is_there"),
    [
        ({"canary": (1, 1, 1, 1)}, True),
        ({"ada": (1, 1, 1, 1)}, False),
        ({"ada": (1, 1, 1, 1), "canary": (9, 1, 1, 1)}, True),
    ],
)
async def test_the_canary_is_looked_for(
    world: World, said: dict[str, tuple[float, ...]], is_there: bool
) -> None:
    world.guard = Guard(canary="canary")

    fresh = await world.sync(said)
    await world.sync({"canary": (1, 1, 1, 1)})
    known = await world.sync(said)

    assert (fresh.comparison.has_canary, known.comparison.has_canary) == (is_there, is_there)


async def test_a_dry_run_writes_what_it_found_and_nothing_else(world: World) -> None:
    await world.sync({"ada": (1, 1, 1, 1), "bob": (1, 1, 1, 1)})
    before = await world.rows(VERSIONS)
    run_id = await world.begin()

    async with world.store.bench(JOB, world.target) as bench:
        await bench.check()
        await bench.stage(pages({"ada": (2, 1, 1, 1), "cy": (1, 1, 1, 1)}))
        await bench.compare(partial=False, guard=world.guard, at=world.at)
        books = replace(world.books(), is_dry=True)
        await bench.rehearse(run_id, world.at, world.verdict, books)
        drift = await bench.drift()

    report = await world.report(run_id)
    assert (report.created, report.updated, report.deleted, report.seen) == (1, 1, 1, 3)
    assert await world.rows(VERSIONS) == before
    assert await world.value("SELECT count(*) FROM leaderboard_missing") == 0
    assert drift.rows == 2
    found, newest = await world.store.read(run_id), await world.store.newest(JOB)
    assert found is not None
    assert newest is not None
    assert (found.is_dry, found.sample) == (True, ("bob",))
    assert newest.run_id < run_id


async def test_an_incremental_run_looks_at_those_who_were_named(world: World) -> None:
    await world.sync({"ada": (1, 1, 1, 1), "bob": (1, 1, 1, 1), "cy": (1, 1, 1, 1)})

    passed = await world.sync(
        [
            ("ada", (5, None, 1, 1)),
            ("ada", (5, None, 1, 1)),
            ("bob", (1, 1, 1, 1)),
            ("new", (1, 1, 1, 1)),
            ("gone", (None, None, None, None)),
            ("cy", (None, None, None, None)),
        ],
        partial=True,
    )

    assert await world.table() == {
        "ada": (5, 0, 1, 1),
        "bob": (1, 1, 1, 1),
        "cy": (1, 1, 1, 1),
        "new": (1, 1, 1, 1),
    }
    report = passed.applied.report
    assert (report.created, report.updated, report.unchanged, report.seen) == (1, 1, 1, 3)
    assert (passed.comparison.missing, passed.comparison.base) == (0, 3)
    assert await world.value("SELECT count(*) FROM leaderboard_missing") == 0
    assert (passed.drift.rows, passed.drift.boards) == (0, {})


async def test_drift_tells_counts_and_sums_of_both_sides(world: World) -> None:
    await world.sync({"ada": (1, 2, 3, 4), "bob": (None, 5, 0, 6), "cy": (1, 1, 1, 1)})
    world.guard = Guard()

    passed = await world.sync({"ada": (1, 2, 3, 4), "bob": (None, 5, 0, 6)})

    drift = passed.drift
    assert (drift.redis_users, drift.postgres_users, drift.rows, drift.waiting) == (2, 3, 0, 1)
    assert list(drift.boards) == list(BOARDS)
    assert drift.boards["daily"] == BoardDrift(
        redis_users=1, redis_sum=1, postgres_users=2, postgres_sum=2
    )
    assert drift.boards["weekly"].redis_sum == 7
    found = await world.store.read(passed.run_id)
    assert found is not None
    assert found.drift == drift
    assert found.seconds == {"verify": 0.1}
