"""Plans: held once, decided about by one person, applied or kept, gone when nobody cared."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fakes.waiting import until

from syncd.errors import LeaseLost, NotKnown, RunError, WrongState
from syncd.model.leaderboard import Plan, PlanId, PlanState
from syncd.store.blocks import load_blocks
from syncd.store.database import Database
from syncd.store.fence import Fence
from syncd.store.plans import PlanDraft, PlanStore, Ruling

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(hours=24)
JOB = "leaderboard"
USERS = ("ada", "bob", "cyd")


@pytest.fixture
def plans(database: Database) -> PlanStore:
    return PlanStore(database)


def draft(users: Sequence[str] = USERS, **changes: Any) -> PlanDraft:
    whole: dict[str, Any] = {
        "job": JOB,
        "run_id": 7,
        "deletes": len(users),
        "base": 100,
        "reasons": ("3 rows would be deleted, 1 may be unasked",),
        "is_hard": False,
        "digest": "-".join(users),
        "sample": tuple(users[:2]),
        "created_at": AT,
        "expires_at": AT + DAY,
    }
    return PlanDraft(**(whole | changes))


async def hold(database: Database, users: Sequence[str] = USERS, **changes: Any) -> PlanId:
    """Hold a plan in a transaction of its own, as the books of a run do."""
    async with database.transaction() as connection:
        await connection.execute(load_blocks("plans")["stage_missing"])
        await connection.execute("TRUNCATE lb_missing")
        records = [(user,) for user in users]
        await connection.copy_records_to_table("lb_missing", records=records)
        return await PlanStore(database).hold(connection, draft(users, **changes))


def ruling(actor: str = "ops", at: datetime = AT, seen: PlanState | None = None) -> Ruling:
    return Ruling(actor=actor, at=at, seen=seen)


async def approve(
    plans: PlanStore,
    number: int,
    digest: str = "ada-bob-cyd",
    deletes: int | None = None,
    **by: Any,
) -> Plan:
    return await plans.approve(number, digest, deletes, ruling(**by))


async def reject(plans: PlanStore, number: int, **by: Any) -> Plan:
    return await plans.reject(number, ruling(**by))


async def apply(database: Database, number: PlanId) -> None:
    async with database.transaction() as connection:
        await PlanStore(database).applied(connection, number)


async def rows(database: Database, query: str, *values: Any) -> list[tuple[Any, ...]]:
    async with database.connection() as connection:
        return [tuple(row) for row in await connection.fetch(query, *values)]


async def kept(database: Database) -> list[tuple[Any, ...]]:
    query = "SELECT user_id, missing_runs, missing_since, kept_by FROM leaderboard_missing"
    return await rows(database, f"{query} ORDER BY user_id")


async def states(plans: PlanStore, at: datetime = AT) -> dict[int, PlanState]:
    return {plan.id: plan.state for plan in await plans.list_newest(None, None, 100, at)}


async def test_a_plan_is_read_as_it_was_held(database: Database, plans: PlanStore) -> None:
    number = await hold(database, updates=4, holds_updates=True, is_hard=True)

    plan = await plans.read(number, AT)

    assert plan == Plan(
        id=number,
        job=JOB,
        run_id=7,
        state=PlanState.HELD,
        deletes=3,
        updates=4,
        holds_updates=True,
        base=100,
        reasons=("3 rows would be deleted, 1 may be unasked",),
        is_hard=True,
        digest="ada-bob-cyd",
        sample=("ada", "bob"),
        created_at=AT,
        expires_at=AT + DAY,
    )
    assert await plans.rows(number, 2) == ["ada", "bob"]
    assert await plans.open(JOB, AT) == plan
    assert await plans.pending(JOB, AT) is None


async def test_a_run_that_finds_the_same_leaves_the_open_plan_as_it_is(
    database: Database, plans: PlanStore
) -> None:
    first = await hold(database)
    before = await plans.read(first, AT)

    again = await hold(database, run_id=8, created_at=AT + DAY / 2, expires_at=AT + 2 * DAY)

    assert again == first
    assert await plans.read(first, AT) == before


@pytest.mark.parametrize(
    ("users", "changes"),
    [(("ada", "bob"), {}), (USERS, {"is_hard": True}), (USERS, {"holds_updates": True})],
)
@pytest.mark.parametrize("approves", [False, True])
async def test_a_run_that_finds_something_else_replaces_the_open_plan(
    database: Database,
    plans: PlanStore,
    users: Sequence[str],
    changes: dict[str, Any],
    approves: bool,
) -> None:
    first = await hold(database)
    if approves:
        await approve(plans, first)

    second = await hold(database, users, **changes)

    assert await states(plans) == {first: PlanState.REPLACED, second: PlanState.HELD}


async def test_a_run_that_applied_a_plan_may_hold_the_next_one(
    database: Database, plans: PlanStore
) -> None:
    first = await hold(database)
    await approve(plans, first)
    pending = await plans.pending(JOB, AT)

    await apply(database, first)
    second = await hold(database)

    assert pending is not None
    assert pending.id == first
    assert second != first
    assert await states(plans) == {first: PlanState.APPLIED, second: PlanState.HELD}


async def test_plans_of_two_jobs_do_not_know_of_each_other(
    database: Database, plans: PlanStore
) -> None:
    one, other = await hold(database), await hold(database, job="other")

    assert one != other
    assert await states(plans) == {one: PlanState.HELD, other: PlanState.HELD}
    assert [plan.id for plan in await plans.list_newest("other", None, 9, AT)] == [other]


async def test_of_two_who_decide_at_once_one_wins_and_the_other_reads_who_did(
    database: Database, plans: PlanStore
) -> None:
    number = await hold(database)

    told = await asyncio.gather(
        *(approve(plans, number, actor=f"a{n}", seen=PlanState.HELD) for n in range(4)),
        *(reject(plans, number, actor=f"r{n}", seen=PlanState.HELD) for n in range(4)),
        return_exceptions=True,
    )

    [winner] = [plan for plan in told if isinstance(plan, Plan)]
    assert await plans.read(number, AT) == winner
    refusals = [str(error) for error in told if isinstance(error, WrongState)]
    assert len(refusals) == 7
    assert all(f"by {winner.decided_by} at 2026-03-01 12:00:00 UTC" in why for why in refusals)


@pytest.mark.parametrize(
    ("is_hard", "digest", "deletes", "why"),
    [
        (False, "another", None, "has another digest"),
        (False, "ada-bob-cyd", 2, "deletes another number of rows"),
        (True, "ada-bob-cyd", None, "none was"),
        (True, "ada-bob-cyd", 4, "4 was"),
        (True, "another", 3, "has another digest"),
    ],
)
async def test_an_approval_of_something_else_is_refused(
    database: Database, plans: PlanStore, is_hard: bool, digest: str, deletes: int | None, why: str
) -> None:
    number = await hold(database, is_hard=is_hard)

    with pytest.raises(WrongState, match=why):
        await approve(plans, number, digest, deletes)

    assert (await plans.read(number, AT)).state is PlanState.HELD


async def test_the_typed_number_lets_a_hard_plan_pass(database: Database, plans: PlanStore) -> None:
    number = await hold(database, is_hard=True)

    plan = await approve(plans, number, deletes=3)

    assert (plan.state, plan.decided_by, plan.decided_at) == (PlanState.APPROVED, "ops", AT)


async def test_a_rejection_keeps_the_rows_and_an_approval_after_all_lets_them_go(
    database: Database, plans: PlanStore
) -> None:
    earlier = AT - DAY
    await rows(
        database,
        "INSERT INTO leaderboard_missing (job, user_id, missing_runs, missing_since, kept_by)"
        " VALUES ($1, 'ada', 5, $2, NULL), ($1, 'bob', 6, $2, 99), ($1, 'eve', 6, $2, NULL)",
        JOB,
        earlier,
    )
    number = await hold(database)

    await reject(plans, number, at=AT + DAY / 2)
    after_rejection = await kept(database)
    await approve(plans, number, actor="boss", at=AT + 2 * DAY)

    assert after_rejection == [
        ("ada", 5, earlier, number),
        ("bob", 6, earlier, 99),
        ("cyd", 1, AT, number),
        ("eve", 6, earlier, None),
    ]
    assert [row[3] for row in await kept(database)] == [None, 99, None, None]
    assert (await plans.read(number, AT)).state is PlanState.APPROVED


async def test_an_approval_can_be_taken_back_until_a_run_applied_it(
    database: Database, plans: PlanStore
) -> None:
    number = await hold(database)
    await approve(plans, number)

    await reject(plans, number, actor="boss")

    with pytest.raises(RunError, match="was decided about again while this run applied it"):
        await apply(database, number)
    assert (await plans.read(number, AT)).state is PlanState.REJECTED


async def test_a_rejected_plan_is_not_taken_up_beside_an_open_one(
    database: Database, plans: PlanStore
) -> None:
    first = await hold(database)
    await reject(plans, first)
    second = await hold(database, ("dan",))

    with pytest.raises(WrongState, match=f"another one of job {JOB} is open: plan {second}, held"):
        await approve(plans, first)

    assert await states(plans) == {first: PlanState.REJECTED, second: PlanState.HELD}
    assert [row[3] for row in await kept(database)] == [first, first, first]


async def test_what_is_settled_cannot_be_decided_about(
    database: Database, plans: PlanStore
) -> None:
    applied = await hold(database)
    await approve(plans, applied)
    await apply(database, applied)
    replaced = await hold(database, ("dan",))
    await hold(database, ("eve",))

    for number, digest in ((applied, "ada-bob-cyd"), (replaced, "dan")):
        with pytest.raises(WrongState, match="cannot be approved"):
            await approve(plans, number, digest)
        with pytest.raises(WrongState, match="cannot be rejected"):
            await reject(plans, number)
    assert await kept(database) == []
    with pytest.raises(NotKnown, match="there is no plan 4711"):
        await approve(plans, 4711)


async def test_a_plan_nobody_decides_about_expires_whether_or_not_that_is_written(
    database: Database, plans: PlanStore
) -> None:
    number, later = await hold(database), AT + DAY
    stored = "SELECT state FROM plans"

    assert await states(plans, later - timedelta(seconds=1)) == {number: PlanState.HELD}
    assert await states(plans, later) == {number: PlanState.EXPIRED}
    assert await plans.list_newest(None, PlanState.HELD, 9, later) == []
    assert await plans.open(JOB, later) is None
    assert await rows(database, stored) == [("held",)]
    with pytest.raises(WrongState, match="expired at 2026-03-02 12:00:00 UTC"):
        await approve(plans, number, at=later)

    await plans.expire(later)

    assert await rows(database, stored) == [("expired",)]
    assert await plans.rows(number, 9) == []


async def test_an_expired_plan_does_not_come_back_by_itself(
    database: Database, plans: PlanStore
) -> None:
    first = await hold(database)

    second = await hold(database, created_at=AT + DAY, expires_at=AT + 2 * DAY)

    assert await states(plans, AT + DAY) == {first: PlanState.EXPIRED, second: PlanState.HELD}


async def test_only_rows_that_nobody_needs_are_dropped(
    database: Database, plans: PlanStore
) -> None:
    rejected = await hold(database)
    await reject(plans, rejected)
    applied = await hold(database)
    await approve(plans, applied)
    await apply(database, applied)
    replaced = await hold(database, ("dan",))
    held = await hold(database, ("eve",), expires_at=AT + 365 * DAY)

    await plans.expire(AT + DAY)
    counts = [len(await plans.rows(each, 9)) for each in (rejected, applied, replaced, held)]
    await plans.expire(AT + 31 * DAY)

    assert counts == [3, 3, 0, 1]
    counts = [len(await plans.rows(each, 9)) for each in (rejected, applied, replaced, held)]
    assert counts == [3, 0, 0, 1]


async def test_a_plan_of_which_nothing_is_left_is_withdrawn(
    database: Database, plans: PlanStore
) -> None:
    number = await hold(database)

    async with database.transaction() as connection:
        await plans.withdraw(connection, JOB)

    assert await states(plans) == {number: PlanState.REPLACED}


async def test_who_does_not_lead_decides_nothing(database: Database) -> None:
    number, fence = await hold(database), Fence()
    fence.close()
    plans = PlanStore(database, fence)

    for decision in (
        approve(plans, number),
        reject(plans, number),
        plans.expire(AT + DAY),
    ):
        with pytest.raises(LeaseLost):
            await decision

    assert await states(plans) == {number: PlanState.HELD}
    assert await kept(database) == []


async def test_a_decision_and_a_run_that_writes_markers_do_not_lock_each_other_out(
    database: Database, plans: PlanStore
) -> None:
    number = await hold(database)
    holds, may_go_on = asyncio.Event(), asyncio.Event()

    async def books() -> None:
        async with database.transaction() as connection:
            await connection.execute(load_blocks("plans")["stage_missing"])
            assert await plans.hold(connection, draft()) == number
            holds.set()
            await may_go_on.wait()
            await connection.execute(
                "INSERT INTO leaderboard_missing (job, user_id, missing_since)"
                " SELECT $1, user_id, $2 FROM plan_rows ORDER BY user_id DESC",
                JOB,
                AT,
            )

    async with asyncio.TaskGroup() as group:
        group.create_task(books())
        await holds.wait()
        decision = group.create_task(reject(plans, number))
        waits = "SELECT 1 FROM pg_locks WHERE NOT granted"
        await until(lambda: rows(database, waits), what="the decision to wait")
        may_go_on.set()

    assert decision.result().state is PlanState.REJECTED
    assert [row[3] for row in await kept(database)] == [number, number, number]
