"""Somebody else at the table: a writer wins its row, another syncd and another job wait."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from fakes.boarded import PROMPT, Boarded, boarded
from fakes.running import draft
from fakes.valkey import ValkeyServer
from fakes.waiting import until

from syncd.clock import SystemClock
from syncd.jobs.leaderboard import Leaderboard
from syncd.jobs.stop import Stop
from syncd.model.run import Outcome, Run
from syncd.runs.job import Job
from syncd.runs.runner import Order
from syncd.store.database import Connection, Database
from syncd.store.migrate import migrate

WAITS = "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
MINE = "UPDATE pomo_leaderboard SET daily_pomo = 77 WHERE user_id = 'ada'"
_numbers = itertools.count(1)


@pytest.fixture
async def boards(database: Database, valkey: ValkeyServer) -> AsyncIterator[Boarded]:
    async with boarded(database, valkey, guard=PROMPT) as boards:
        await boards.put({"daily": {"ada": 1, "bob": 2}})
        await boards.run()
        yield boards


async def daily(boards: Boarded) -> dict[str, float]:
    return {user: row["daily"] for user, row in (await boards.table()).items()}


async def meanwhile(boards: Boarded, sql: str) -> Run:
    """Let a writer change the table between the comparison of a run and its writing."""
    async with boards.world.database.connection() as other:
        writing = other.transaction()
        await writing.start()
        await other.execute(sql)
        run_id = await boards.world.start(boards.work)
        await until(lambda: boards.world.value(WAITS), what="the run at the row")
        await writing.commit()
    return await boards.world.end_of(run_id)


CASES = {
    "update before update": (["ZADD", 5, "ada"], MINE, {"ada": 77, "bob": 2}),
    "delete before update": (
        ["ZADD", 5, "ada"],
        "DELETE FROM pomo_leaderboard WHERE user_id = 'ada'",
        {"bob": 2},
    ),
    "insert before insert": (
        ["ZADD", 5, "new"],
        "INSERT INTO pomo_leaderboard (user_id, daily_pomo) VALUES ('new', 77)",
        {"ada": 1, "bob": 2, "new": 77},
    ),
    "update before delete": (["ZREM", "ada"], MINE, {"ada": 77, "bob": 2}),
    "delete before delete": (
        ["ZREM", "ada"],
        "DELETE FROM pomo_leaderboard WHERE user_id = 'ada'",
        {"bob": 2},
    ),
}


@pytest.mark.parametrize("case", CASES)
async def test_a_writer_wins_its_row_and_the_next_run_mends_it(boards: Boarded, case: str) -> None:
    (command, *words), sql, theirs = CASES[case]
    await boards.tell(command, "leaderboard:daily", *words)

    run = await meanwhile(boards, sql)
    between = await daily(boards)
    told = await boards.told(run)
    mended = await boards.run()
    again = await boards.run()

    assert run.outcome is Outcome.SUCCEEDED, run
    assert between == theirs
    report = run.report
    assert (report.created, report.updated, report.deleted) == (0, 0, 0)
    assert (report.failures, told.conflicts) == ({"conflict": 1}, 1)
    assert report.seen == (3 if case == "insert before insert" else 2)
    assert await daily(boards) == (await boards.scores())["daily"]
    assert mended.outcome is Outcome.SUCCEEDED
    assert again.report.seen == again.report.unchanged
    buried = await boards.sql("SELECT run_id, row_data FROM leaderboard_tombstones")
    deleted = [(mended.id, 77.0)] if case == "update before delete" else []
    assert [(row["run_id"], row["row_data"]["daily_pomo"]) for row in buried] == deleted


async def shared_table(connection: Connection) -> str:
    name = f"shared_{next(_numbers)}"
    await connection.execute(f"DROP SCHEMA IF EXISTS {name} CASCADE")
    await connection.execute(f"CREATE SCHEMA {name}")
    await connection.execute(f"CREATE TABLE {name}.scores (LIKE pomo_leaderboard INCLUDING ALL)")
    return name


async def ended(boards: Boarded, job: str, work: Leaderboard) -> Run:
    """Run a job of another name to its end."""
    world = boards.world
    run_id = await world.runs.create(replace(draft(SystemClock()), job=job, kind="leaderboard"))
    run = await world.runs.read(run_id)
    assert run is not None
    whole = Job(name=job, kind="leaderboard", work=work)
    ended = await world.runner.execute(Order(run=run, job=whole, stop=Stop()))
    assert ended is not None
    return ended


@pytest.mark.parametrize("who", ["another syncd", "another job"])
async def test_two_never_work_on_one_table_at_once(
    database: Database, valkey: ValkeyServer, who: str
) -> None:
    async with database.connection() as connection:
        schema = await shared_table(connection)
    options: dict[str, Any] = {"schema": schema, "table": "scores", "guard": PROMPT}
    elsewhere = replace(database.settings, schema=f"{schema}_syncd")
    async with (
        Database(elsewhere, SystemClock()) as other,
        boarded(database, valkey, **options) as one,
        boarded(other if who == "another syncd" else database, valkey, **options) as two,
    ):
        await migrate(other)
        await one.put({"daily": {"ada": 1}})
        await one.run()
        await one.tell("ZADD", "leaderboard:daily", 2, "ada")
        work = Leaderboard("other", two.options)
        async with database.connection() as holding:
            transaction = holding.transaction()
            await transaction.start()
            await holding.execute(f"SELECT * FROM {schema}.scores FOR UPDATE")  # noqa: S608
            run_id = await one.world.start(one.work)
            await until(lambda: one.world.value(WAITS), what="the run at the row")
            refused = await ended(two, "other", work)
            await transaction.rollback()
        first = await one.world.end_of(run_id)
        later = await ended(two, "other", work)

        assert (refused.outcome, refused.report.seen) == (Outcome.FAILED, 0)
        assert f"another run is about table {schema}.scores at this moment" in refused.error
        assert (first.outcome, first.report.updated) == (Outcome.SUCCEEDED, 1)
        assert (later.outcome, later.report.unchanged) == (Outcome.SUCCEEDED, 1)
        await one.sql(f"DROP SCHEMA {schema}, {schema}_syncd CASCADE")


@pytest.mark.needs_tool("pgbouncer")
async def test_everything_works_through_pgbouncer_in_transaction_mode(
    bounced: Database, valkey: ValkeyServer
) -> None:
    async with boarded(bounced, valkey, guard={"runs": 1, "wait": "0s"}) as boards:
        users = {f"u{number:03}": number + 1.0 for number in range(200)}
        await boards.put({"daily": users, "weekly": {"ada": "-1", "u001": 5}})
        first = await boards.run()
        await boards.tell("ZREM", "leaderboard:daily", *[*users][:10])
        deleting = await boards.run()
        undone = await boards.run(act="undo", of=deleting.id)
        await boards.tell("ZREM", "leaderboard:daily", *[*users][:30])
        held = await boards.run()
        plan = await boards.plan()
        assert plan is not None
        await boards.approve(plan)
        applied = await boards.run(full=True)
        rehearsed = await boards.run(dry_run=True)
        table = await boards.table()
        await boards.tell("FLUSHALL")
        rehydrated = await boards.run(act="rehydrate")
        again = await boards.run()

        assert bounced.is_pooled
        assert (first.outcome, first.report.created) == (Outcome.PARTIAL, 200)
        # Who has a score on any board is there: u001 left one board and not the other.
        assert (deleting.report.deleted, undone.report.created) == (9, 9)
        assert (held.outcome, plan.deletes) == (Outcome.HELD, 29)
        assert (applied.report.deleted, len(table)) == (29, 171)
        assert rehearsed.report.unchanged == 171
        assert (rehydrated.outcome, rehydrated.report.created) == (Outcome.SUCCEEDED, 171)
        assert (again.outcome, again.report.unchanged) == (Outcome.SUCCEEDED, 171)
        assert await boards.table() == table
    left = "SELECT relname FROM pg_class WHERE relname LIKE 'lb\\_%' AND relpersistence = 't'"
    async with bounced.connection() as connection:
        assert await connection.fetch(left) == []
