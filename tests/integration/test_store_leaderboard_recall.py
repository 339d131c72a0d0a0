"""What was deleted or changed comes back when a person asks for it, and only that."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from fakes.benches import AT, JOB, World, pages

from syncd.errors import WrongState
from syncd.model.leaderboard import BoardFacts, Deletes, SourceFacts, Verdict
from syncd.model.run import Report
from syncd.store.database import Database

ONE = (1.0, 1.0, 1.0, 1.0)
ALL = "SELECT * FROM pomo_leaderboard ORDER BY user_id"
COPIES = (
    "SELECT relname FROM pg_class WHERE relname ~ '^leaderboard_backup_' "
    "AND relnamespace = current_schema::regnamespace"
)


@pytest.fixture
def world(database: Database) -> World:
    return World.over(database)


async def undo(world: World, of: int) -> Report:
    run_id = await world.begin()
    async with world.store.bench(JOB, world.target) as bench:
        await bench.check()
        report = await bench.undo(run_id, of, world.at)
    assert await world.report(run_id) == report
    return report


async def copy(world: World, keep: timedelta = timedelta(days=14)) -> int:
    run_id = await world.begin()
    async with world.store.bench(JOB, world.target) as bench:
        await bench.check()
        return await bench.back_up(run_id, world.at, keep)


async def restore(world: World, backup: int) -> Report:
    run_id = await world.begin()
    async with world.store.bench(JOB, world.target) as bench:
        await bench.check()
        report = await bench.restore(run_id, backup, world.at)
    assert await world.report(run_id) == report
    return report


async def test_what_a_run_deleted_comes_back_with_every_column_it_had(world: World) -> None:
    await world.rows(
        "ALTER TABLE pomo_leaderboard ADD place integer GENERATED ALWAYS AS IDENTITY, "
        "ADD twice double precision GENERATED ALWAYS AS (daily_pomo * 2) STORED, "
        "ADD nick text, ADD extra jsonb, ADD raw bytea, ADD tags text[]"
    )
    await world.sync({f"u{n:03}": (0.1, n, 1.7e308, 5e-324) for n in range(300)})
    await world.rows(
        "UPDATE pomo_leaderboard SET nick = 'n\\t' || user_id, extra = '{\"a\": [1, null]}', "
        "raw = '\\x00ff', tags = '{a,NULL}' WHERE user_id > 'u100'"
    )
    before = await world.rows(ALL)
    passed = await world.sync({"u000": (0.1, 0, 1.7e308, 5e-324)})
    assert passed.applied.report.deleted == 299
    await world.rows("INSERT INTO pomo_leaderboard (user_id, daily_pomo) VALUES ('u005', 7)")

    report = await undo(world, passed.run_id)

    after = await world.rows(ALL)
    assert [row for row in after if row["user_id"] != "u005"] == [
        row for row in before if row["user_id"] != "u005"
    ]
    assert after[5]["daily_pomo"] == 7
    assert (report.created, report.unchanged, report.seen) == (298, 1, 299)
    again = await undo(world, passed.run_id)
    assert (again.created, again.unchanged) == (0, 299)
    assert await world.rows(ALL) == after


async def test_a_row_that_is_refused_now_is_left_out(world: World) -> None:
    await world.sync({f"u{n:03}": (n, 1, 1, 1) for n in range(100)})
    passed = await world.sync({"u000": (0, 1, 1, 1)})
    await world.rows("ALTER TABLE pomo_leaderboard ADD CHECK (daily_pomo <> 50)")
    await world.rows("ALTER TABLE pomo_leaderboard ADD since date NOT NULL DEFAULT '2026-01-01'")

    report = await undo(world, passed.run_id)

    assert (report.created, report.skipped, report.failures) == (98, 1, {"refused": 1})
    assert len(await world.table()) == 99


async def test_an_undo_of_nothing_is_refused(world: World) -> None:
    await world.sync({"ada": ONE})

    with pytest.raises(WrongState, match="run 999 deleted nothing from table"):
        await undo(world, 999)


async def test_a_copy_brings_back_what_changed_since_and_leaves_what_came(world: World) -> None:
    await world.sync({f"u{n:03}": (n, 1, 1, 1) for n in range(300)})
    before = await world.rows(ALL)
    backup = await copy(world)
    await world.rows("DELETE FROM pomo_leaderboard WHERE user_id < 'u100'")
    await world.rows("UPDATE pomo_leaderboard SET daily_pomo = -1 WHERE user_id > 'u249'")
    await world.rows("INSERT INTO pomo_leaderboard (user_id) VALUES ('came')")

    report = await restore(world, backup)

    assert [row for row in await world.rows(ALL) if row["user_id"] != "came"] == before
    assert (report.created, report.updated, report.unchanged) == (100, 50, 150)
    again = await restore(world, backup)
    assert (again.created, again.updated, again.unchanged) == (0, 0, 300)


async def test_a_copy_of_another_table_is_not_put_into_this_one(world: World) -> None:
    await world.sync({"ada": ONE})
    backup = await copy(world)
    await world.rows("CREATE TABLE other (LIKE pomo_leaderboard INCLUDING ALL)")
    world.target = replace(world.target, table="other")

    with pytest.raises(WrongState, match=r"there is no backup 1 of table test_\d+\.other"):
        await restore(world, backup)


async def test_what_is_past_its_time_is_dropped_and_the_rest_is_kept(world: World) -> None:
    await world.sync({"ada": ONE, "bob": ONE})
    first, second = await copy(world, timedelta(days=1)), await copy(world, timedelta(days=3))
    await world.sync({"ada": ONE})
    world.at = AT + timedelta(days=2)
    await world.sync({})

    await world.store.expire(JOB, world.at, timedelta(days=1))
    await world.store.expire("another", world.at + timedelta(days=99), timedelta(0))

    assert [row["relname"] for row in await world.rows(COPIES)] == [f"leaderboard_backup_{second}"]
    assert first != second
    left = await world.rows("SELECT user_id FROM leaderboard_tombstones")
    assert [row["user_id"] for row in left] == ["ada"]


async def test_scores_are_read_in_pages_in_the_order_of_ids(world: World) -> None:
    await world.sync({"b": ONE, "B": (0.5, None, 1, 1), "é": ONE, "zero": (0, 0, 0, 0)})

    async with world.store.bench(JOB, world.target) as bench:
        await bench.check()
        first = await bench.scores("", 2)
        second = await bench.scores(first[-1][0], 2)
        third = await bench.scores(second[-1][0], 2)

    assert first == [("B", (0.5, 0.0, 1.0, 1.0)), ("b", ONE)]
    assert second == [("é", ONE)]
    assert third == []


async def test_what_a_run_wrote_down_is_read_back(world: World) -> None:
    expires = datetime(2026, 1, 2, tzinfo=UTC)
    source = SourceFacts(
        server_id="abc",
        uptime_seconds=5,
        evicted_keys=1,
        keys=9,
        evicts=False,
        is_replica=True,
        is_stale=False,
        boards={
            "daily": BoardFacts(members=3, expires_at=expires),
            "weekly": BoardFacts(members=0),
        },
    )
    run_id = await world.begin()
    verdict = Verdict(reasons=("why",), deletes=Deletes.APPROVED)
    books = replace(
        world.books(), source=source, notes=("n",), seconds={"stage": 0.5}, unreadable_details=2
    )
    async with world.store.bench(JOB, world.target) as bench:
        await bench.check()
        await bench.stage(pages({"ada": ONE}))
        await bench.compare(partial=False, guard=world.guard, at=world.at)
        await bench.apply(run_id, world.at, verdict, books)

    found = await world.store.read(run_id)
    assert found is not None
    assert (found.source, found.verdict, found.notes) == (source, verdict, ("n",))
    assert (found.created, found.base, found.users) == (1, 0, 1)
    assert (found.unreadable_details, found.at) == (2, AT)
    assert found.plan is not None
    assert await world.store.last_source(JOB) == (run_id, AT, source)
    assert await world.store.read(99) is None
    assert await world.store.newest("another") is None
