"""Plans from the run that holds one to the run that does, or does not do, what it says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from fakes.boarded import Boarded, boarded
from fakes.clock import FakeClock
from fakes.running import JOB
from fakes.valkey import ValkeyServer
from fakes.waiting import until

from syncd.errors import WrongState
from syncd.model.leaderboard import Plan, PlanState
from syncd.model.run import Outcome, Run
from syncd.store.database import Database

HOUR = timedelta(hours=1)
USERS = {f"u{number:03}": number + 1.0 for number in range(200)}
GONE = [*USERS][:25]
WAITS = "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def boards(
    database: Database, valkey: ValkeyServer, clock: FakeClock
) -> AsyncIterator[Boarded]:
    """Two hundred users on a board and in the table; twenty may go unasked, forty on demand."""
    async with boarded(database, valkey, clock) as boards:
        await boards.put({"daily": USERS})
        await boards.run()
        yield boards


async def leave(boards: Boarded, *users: str) -> None:
    await boards.tell("ZREM", "leaderboard:daily", *users)


async def come(boards: Boarded, *users: str) -> None:
    await boards.tell("ZADD", "leaderboard:daily", *(word for user in users for word in (7, user)))


async def hold(boards: Boarded, users: list[str] = GONE) -> tuple[Run, Plan]:
    """Let so many leave that a run asks."""
    await leave(boards, *users)
    run = await boards.run()
    plan = await boards.plan()
    assert plan is not None
    return run, plan


async def markers(boards: Boarded) -> dict[str, tuple[int, int | None]]:
    rows = await boards.sql("SELECT user_id, missing_runs, kept_by FROM leaderboard_missing")
    return {row["user_id"]: (row["missing_runs"], row["kept_by"]) for row in rows}


async def test_a_run_over_the_guard_does_its_safe_part_and_asks(boards: Boarded) -> None:
    await come(boards, "new", "u199")

    run, plan = await hold(boards)

    assert run.outcome is Outcome.HELD
    assert "25 of 200 rows vanished from Redis at once, 20 may be" in run.error
    assert f"syncd approve {plan.id}" in run.hint
    table = await boards.table()
    assert (table["new"]["daily"], table["u199"]["daily"]) == (7, 7)
    assert set(GONE) < set(table)
    assert (plan.deletes, plan.base, plan.is_hard, len(plan.digest)) == (25, 200, False, 32)
    assert plan.sample == tuple(GONE[:20])
    report = run.report
    assert (report.created, report.updated, report.unchanged) == (1, 1, 174)
    assert (report.skipped, report.failures, report.seen) == (25, {"held": 25}, 201)


async def test_an_approved_plan_deletes_its_rows_that_are_still_missing_and_no_others(
    boards: Boarded,
) -> None:
    _, plan = await hold(boards)
    await come(boards, GONE[0])
    await leave(boards, "u100")

    await boards.approve(plan)
    run = await boards.run(full=True)

    assert run.outcome is Outcome.SUCCEEDED
    assert run.report.deleted == 24
    assert set(await boards.table()) == set(USERS) - set(GONE[1:])
    assert await markers(boards) == {"u100": (1, None)}
    assert await boards.plans() == [(plan.id, PlanState.APPLIED)]


async def test_a_plan_keeps_its_number_while_it_is_about_all_that_is_held(
    boards: Boarded, clock: FakeClock
) -> None:
    _, plan = await hold(boards)
    clock.jump_wall(HOUR)
    again = await boards.run()
    await leave(boards, "u100")
    clock.jump_wall(HOUR)
    one_more = await boards.run()

    assert (again.outcome, one_more.outcome) == (Outcome.HELD, Outcome.HELD)
    assert await boards.plans() == [(plan.id, PlanState.HELD)]
    await leave(boards, *[*USERS][101:122])
    clock.jump_wall(HOUR)
    await boards.run()
    newer = await boards.plan()

    assert newer is not None
    assert (newer.deletes, newer.is_hard) == (47, True)
    assert await boards.plans() == [(plan.id, PlanState.REPLACED), (newer.id, PlanState.HELD)]
    assert set(await boards.table()) == set(USERS)


async def test_a_plan_whose_users_are_all_back_is_let_go(boards: Boarded) -> None:
    _, plan = await hold(boards)
    await come(boards, *GONE)

    run = await boards.run()

    assert run.outcome is Outcome.SUCCEEDED
    assert await boards.plans() == [(plan.id, PlanState.REPLACED)]
    assert await markers(boards) == {}


async def test_rejected_rows_stay_in_silence_until_they_were_seen_again(
    boards: Boarded, clock: FakeClock
) -> None:
    _, plan = await hold(boards)
    await boards.reject(plan)
    for _ in range(3):
        clock.jump_wall(30 * HOUR)
        run = await boards.run()
        assert (run.outcome, run.error) == (Outcome.SUCCEEDED, "")
        assert run.report.failures == {"kept": 25}
    assert set(await boards.table()) == set(USERS)

    await come(boards, GONE[0])
    await boards.run()
    known = await markers(boards)
    await leave(boards, GONE[0])
    clock.jump_wall(HOUR)
    await boards.run()

    assert GONE[0] not in known
    assert set(known.values()) == {(known[GONE[1]][0], plan.id)}
    assert (await markers(boards))[GONE[0]] == (1, None)
    assert await boards.plans() == [(plan.id, PlanState.REJECTED)]


async def test_a_flush_that_was_answered_once_is_not_asked_about_again(boards: Boarded) -> None:
    await boards.tell("FLUSHALL")
    run = await boards.run()
    plan = await boards.plan()
    assert plan is not None
    assert (run.outcome, plan.is_hard) == (Outcome.HELD, True)
    await boards.reject(plan)

    silent = await boards.run()

    assert (silent.outcome, silent.report.failures) == (Outcome.SUCCEEDED, {"kept": 200})
    source = await boards.world.around.stores.leaderboards.last_source(JOB)
    assert source is not None
    assert source[2].members == 200


async def test_a_plan_that_nobody_decided_about_expires_and_is_asked_anew(
    boards: Boarded, clock: FakeClock
) -> None:
    _, plan = await hold(boards)
    clock.jump_wall(25 * HOUR)

    with pytest.raises(WrongState, match=f"plan {plan.id} expired"):
        await boards.approve(plan)
    run = await boards.run()

    newer = await boards.plan()
    assert newer is not None
    assert run.outcome is Outcome.HELD
    assert await boards.plans() == [(plan.id, PlanState.EXPIRED), (newer.id, PlanState.HELD)]
    assert set(await boards.table()) == set(USERS)


async def test_a_hard_plan_needs_its_number_typed(boards: Boarded) -> None:
    _, plan = await hold(boards, [*USERS][:60])
    assert plan.is_hard

    for number in (None, 59, 61):
        with pytest.raises(WrongState, match="deletes another number of rows"):
            await boards.approve(plan, number)
    await boards.run(full=True)
    assert set(await boards.table()) == set(USERS)
    assert await markers(boards) == {}

    await boards.approve(plan, 60)
    run = await boards.run(full=True)

    assert (run.outcome, run.report.deleted) == (Outcome.SUCCEEDED, 60)
    assert len(await boards.table()) == 140


async def test_the_digest_of_another_plan_approves_nothing(boards: Boarded) -> None:
    _, old = await hold(boards)
    await leave(boards, *[*USERS][101:131])
    await boards.run()
    new = await boards.plan()
    assert new is not None
    assert new.id != old.id

    for plan, number in ((old, 25), (new, 55)):
        mixed = Plan(
            **{name: getattr(plan, name) for name in plan.__slots__} | {"digest": "0" * 32}
        )
        with pytest.raises(WrongState):
            await boards.approve(mixed, number)
    with pytest.raises(WrongState, match="replaced"):
        await boards.approve(old)

    await boards.run(full=True)
    assert set(await boards.table()) == set(USERS)


async def test_an_approval_during_a_run_is_for_the_next_one(
    database: Database, boards: Boarded
) -> None:
    _, plan = await hold(boards)
    await come(boards, "u199")
    async with database.connection() as other:
        writing = other.transaction()
        await writing.start()
        await other.execute("SELECT * FROM pomo_leaderboard WHERE user_id = 'u199' FOR UPDATE")
        under_way = await boards.world.start(boards.work)
        await until(lambda: boards.world.value(WAITS), what="the run at the row")
        await boards.approve(plan)
        await writing.rollback()
    first = await boards.world.end_of(under_way)
    between = await boards.table()
    second = await boards.run(full=True)

    assert (first.outcome, first.report.deleted) == (Outcome.HELD, 0)
    assert set(between) == set(USERS)
    assert (second.outcome, second.report.deleted) == (Outcome.SUCCEEDED, 25)
    assert await boards.plans() == [(plan.id, PlanState.APPLIED)]


async def test_who_leaves_one_by_one_is_deleted_after_a_day_and_two_runs_and_never_before(
    boards: Boarded, clock: FakeClock
) -> None:
    left_at: dict[str, int] = {}
    for hour in range(60):
        if hour % 3 == 0:
            user = f"u{hour:03}"
            await leave(boards, user)
            left_at[user] = hour
        run = await boards.run()
        assert run.outcome is Outcome.SUCCEEDED
        due = {user for user, at in left_at.items() if hour - at >= 24}
        assert set(await boards.table()) == set(USERS) - due, hour
        clock.jump_wall(HOUR)
    assert len(await markers(boards)) == 8


async def test_a_day_between_two_runs_is_not_enough_without_the_second(
    boards: Boarded, clock: FakeClock
) -> None:
    await leave(boards, "u000")
    clock.jump_wall(100 * HOUR)
    await boards.run()
    assert "u000" in await boards.table()
    clock.jump_wall(24 * HOUR)
    await boards.run()
    assert "u000" not in await boards.table()


async def test_a_run_that_did_not_read_all_deletes_nobody_and_does_not_count(
    database: Database, valkey: ValkeyServer
) -> None:
    guard = {"runs": 2, "wait": "0s", "rows": 900, "share": 0.2}
    async with (
        boarded(database, valkey, guard=guard) as boards,
        boarded(database, valkey, holder="two", guard=guard, batch=200, pause="1s") as slow,
    ):
        users = {f"u{number:04}": 1.0 for number in range(1_000)}
        await boards.put({"daily": users})
        await boards.run()
        await leave(boards, "u0000")
        await boards.run()
        under_way = await slow.world.start(slow.work)
        await asyncio.sleep(0.5)
        await leave(boards, *[*users][600:])
        incomplete = await slow.world.end_of(under_way)
        told = await boards.told(incomplete)
        between = await markers(boards)
        assert len(await boards.table()) == 1_000
        await come(boards, *[*users][600:])
        complete = await boards.run()

    assert not told.is_complete
    assert any("nothing is deleted by this run" in note for note in told.notes)
    assert between == {"u0000": (1, None)}
    assert complete.report.deleted == 1
