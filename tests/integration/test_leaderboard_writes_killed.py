"""Cut off at every commit and in its midst, and repeated: incremental runs, rehydration, undo,
restoring, and a run of several transactions."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from fakes.boarded import PROMPT, WIDE, Boarded, boarded
from fakes.boards import NAMES, fill
from fakes.postgres_proxy import Point, PostgresProxy, When, postgres_proxy
from fakes.valkey import ValkeyServer

from syncd.model.run import Outcome, Run
from syncd.store.database import Database

REPORT = r"UPDATE runs\b.*SET created = (runs\.)?created \+"
COMMITS = [
    pytest.param(
        Point(sql="^COMMIT", when=when, nth=nth),
        id=f"commit {nth}, {when}",
        marks=[] if nth % 2 else [pytest.mark.full],
    )
    for nth in range(1, 7)
    for when in When
]
CLAIM = "lb:dirty:syncd:sync"
EACH = dict.fromkeys(NAMES, 0.0)
DELETE = r"DELETE FROM .*pomo_leaderboard"


@pytest.fixture
async def line(database: Database) -> AsyncIterator[PostgresProxy]:
    async with postgres_proxy(database.settings.address) as proxy:
        yield proxy


def written(run: Run) -> tuple[int, int, int, int]:
    report = run.report
    return report.created, report.updated, report.unchanged, report.deleted


@pytest.mark.parametrize("point", COMMITS)
async def test_changes_whose_run_was_killed_after_it_claimed_them_are_not_lost(
    database: Database, valkey: ValkeyServer, line: PostgresProxy, point: Point
) -> None:
    async with boarded(database, valkey, mode="incremental", guard=PROMPT) as boards:
        await boards.put({"daily": {"ada": 1, "bob": 1}})
        await boards.run(full=True)
        await boards.tell("ZADD", "leaderboard:daily", 2, "ada", 1, "cyd")
        await boards.tell("SADD", "lb:dirty", "ada", "cyd")

        await boards.killed(line, point)
        await boards.tell("ZADD", "leaderboard:daily", 3, "bob")
        await boards.tell("SADD", "lb:dirty", "bob")
        first = await boards.goes_on()
        second = await boards.run()

        assert await boards.table() == {
            "ada": {**EACH, "daily": 2},
            "bob": {**EACH, "daily": 3},
            "cyd": {**EACH, "daily": 1},
        }
        both = [first.report, second.report]
        assert sum(each.created for each in both) == 1
        assert sum(each.updated for each in both) == 2
        assert await boards.tell("EXISTS", "lb:dirty", CLAIM) == 0


@pytest.mark.parametrize("point", COMMITS)
async def test_rows_of_an_approved_plan_whose_run_was_killed_go_once_and_leave_tombstones(
    database: Database, valkey: ValkeyServer, line: PostgresProxy, point: Point
) -> None:
    guard = {"rows": 1, "share": 0.01}
    async with boarded(database, valkey, guard=guard) as boards:
        users = {f"u{number:02}": 1.0 for number in range(40)}
        await boards.put({"daily": users})
        await boards.run()
        await boards.tell("ZREM", "leaderboard:daily", *list(users)[:5])
        held = await boards.run()
        plan = await boards.plan()
        assert held.outcome is Outcome.HELD
        assert plan is not None
        await boards.approve(plan)

        await boards.killed(line, point, full=True)
        between = set(await boards.table())
        run = await boards.goes_on()

        assert between in (set(users), set(list(users)[5:]))
        assert set(await boards.table()) == set(list(users)[5:])
        assert (run.outcome, *written(run)) == (Outcome.SUCCEEDED, 0, 0, 35, 5)
        buried = await boards.sql("SELECT run_id, user_id FROM leaderboard_tombstones")
        assert {(row["run_id"], row["user_id"]) for row in buried} == {
            (run.id, user) for user in list(users)[:5]
        }
        assert [state.value for _, state in await boards.plans()] == ["applied"]
        assert await boards.sql("SELECT * FROM leaderboard_missing") == []


async def crowd(boards: Boarded, count: int) -> dict[str, float]:
    scores = {f"u{number:06}": float(number % 100 + 1) for number in range(count)}
    async with boards.valkey.client() as client:
        await client.flushall()
        await fill(client, dict.fromkeys(NAMES, scores))
    return scores


@pytest.mark.parametrize(
    "point",
    [
        Point(sql="^COMMIT", within=REPORT, nth=2),
        Point(sql="^COMMIT", within=REPORT, when=When.COMMITTED, nth=1),
        Point(sql="^COMMIT", within=REPORT, when=When.COMMITTED, nth=3),
    ],
    ids=["before the second", "in the first", "in the last"],
)
@pytest.mark.parametrize("rows", [2_000, pytest.param(50_000, marks=pytest.mark.full)])
async def test_a_run_of_several_transactions_is_gone_on_with_and_counts_each_row_once(
    database: Database, valkey: ValkeyServer, line: PostgresProxy, point: Point, rows: int
) -> None:
    async with boarded(database, valkey, guard=PROMPT) as boards:
        boards.write_at_most(rows)
        users = await crowd(boards, rows * 5 // 2)

        assert await boards.killed(line, point)
        left = await boards.world.value("SELECT count(*) FROM pomo_leaderboard")
        run = await boards.goes_on()

        counted = await boards.world.value("SELECT count(*) FROM pomo_leaderboard")
        assert left > 0
        assert counted == len(users)
        assert (run.outcome, *written(run)) == (Outcome.SUCCEEDED, len(users), 0, 0, 0)
        assert run.report.seen == len(users)


@pytest.mark.parametrize("point", COMMITS)
async def test_a_rehydration_that_was_killed_is_repeated_and_counts_each_score_once(
    database: Database, valkey: ValkeyServer, line: PostgresProxy, point: Point
) -> None:
    async with boarded(database, valkey, batch=100, guard=PROMPT) as boards:
        users = {f"u{number:03}": number + 1.0 for number in range(350)}
        before = {"daily": users, "yearly": dict(list(users.items())[:300])}
        await boards.put(before)
        await boards.run()
        await boards.tell("FLUSHALL")
        await boards.tell("ZADD", "leaderboard:daily", 1000, "u000")

        await boards.killed(line, point, act="rehydrate")
        run = await boards.goes_on()

        assert await boards.scores() == {**before, "daily": {**users, "u000": 1000}}
        created, _, unchanged, _ = written(run)
        assert created + unchanged == run.report.seen == 650
        # What was put there and not counted before a kill is found there: a page at most.
        assert 649 - 200 <= created <= 649


@pytest.mark.parametrize("point", COMMITS)
async def test_an_undo_that_was_killed_brings_back_each_row_once(
    database: Database, valkey: ValkeyServer, line: PostgresProxy, point: Point
) -> None:
    async with boarded(database, valkey, guard=PROMPT) as boards:
        await boards.put({"daily": {f"u{number}": number + 1.0 for number in range(9)}})
        await boards.run()
        before = await boards.table()
        await boards.tell("ZREM", "leaderboard:daily", "u1", "u2", "u3")
        deleting = await boards.run()
        assert deleting.report.deleted == 3

        await boards.killed(line, point, act="undo", of=deleting.id)
        run = await boards.goes_on()

        assert await boards.table() == before
        assert (run.outcome, *written(run)) == (Outcome.SUCCEEDED, 3, 0, 0, 0)
        again = await boards.run(act="undo", of=deleting.id)
        assert written(again) == (0, 0, 3, 0)


@pytest.mark.parametrize("point", COMMITS)
async def test_a_restoring_that_was_killed_makes_the_rows_what_they_were(
    database: Database, valkey: ValkeyServer, line: PostgresProxy, point: Point
) -> None:
    async with boarded(
        database, valkey, guard={**WIDE, "rows": 0, "runs": 1, "wait": "0s"}
    ) as boards:
        users = {f"u{number:02}": number + 1.0 for number in range(20)}
        await boards.put({"daily": users})
        await boards.run()
        before = await boards.table()
        await boards.put({"daily": {**dict.fromkeys(users, 99.0), "new": 1.0}})
        await boards.tell("ZREM", "leaderboard:daily", "u00", "u01")
        changing = await boards.run()
        backup = (await boards.told(changing)).backup
        assert (written(changing), backup) == ((1, 18, 0, 2), backup)
        assert backup is not None

        await boards.killed(line, point, act="restore", of=backup)
        run = await boards.goes_on()

        assert await boards.table() == {**before, "new": {**EACH, "daily": 1}}
        assert (run.outcome, *written(run)) == (Outcome.SUCCEEDED, 2, 18, 0, 0)
        again = await boards.run(act="restore", of=backup)
        assert written(again) == (0, 0, 20, 0)


async def test_a_run_whose_last_reply_was_lost_is_not_counted_twice(
    database: Database, valkey: ValkeyServer, line: PostgresProxy
) -> None:
    async with boarded(database, valkey, guard=PROMPT) as boards:
        await boards.put({"daily": {"ada": 1, "bob": 2}})
        await boards.fill_table({"cyd": {}})
        point = Point(sql="^COMMIT", within=REPORT, when=When.COMMITTED)

        assert await boards.killed(line, point)
        between = await boards.table()
        run = await boards.goes_on()

        assert set(between) == {"ada", "bob"}
        assert (run.resumed, *written(run)) == (1, 2, 0, 0, 1)
        told: Any = await boards.told(run)
        assert (told.created, told.deleted, told.unchanged) == (2, 1, 0)
