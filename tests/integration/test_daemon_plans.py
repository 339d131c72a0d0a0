"""Plans over the real store, as the control port asks for them; the job does what a test says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import asdict
from datetime import timedelta
from typing import Any

import pytest
from fakes.controlled import Desk
from fakes.running import JOB as PROFILES
from fakes.scripted_job import Scripted
from pydantic_core import to_json

from syncd.errors import BadInput, NotKnown, StoreUnavailable, WrongState
from syncd.jobs.base import RunContext
from syncd.jobs.boards import LeaderboardOptions
from syncd.model.leaderboard import PlanState, Reconciliation
from syncd.model.pause import PauseScope
from syncd.model.run import Ending, Outcome, RunOptions
from syncd.runs.job import Job
from syncd.schedule.roster import Schedule
from syncd.store.blocks import load_blocks
from syncd.store.journal import numbers_of
from syncd.store.plans import PlanDraft
from syncd.telemetry.events import PlanDecided

JOB = "leaderboard"
DAY = timedelta(days=1)
DIGEST = "sha256:0123"
USERS = ("ada", "bob", "\x1b[31mcyd")


class Unhurried(Scripted):
    """Its runs have no deadline: virtual time flies while a test waits for PostgreSQL."""

    is_item_driven = True


class Boards:
    """A leaderboard job: it notes what its runs are asked for, and waits where it is told to."""

    def __init__(self) -> None:
        self.asked: list[RunOptions] = []
        self.may_end = asyncio.Event()
        self.may_end.set()

    async def work(self, context: RunContext) -> Ending:
        self.asked.append(context.run.options)
        await self.may_end.wait()
        return Ending(outcome=Outcome.SUCCEEDED)


@pytest.fixture
async def boards(desk: Desk) -> AsyncIterator[Boards]:
    boards = Boards()
    work = Unhurried(boards.work)
    work.options = LeaderboardOptions()
    job = Job(name=JOB, kind="leaderboard", work=work)
    desk.core.scheduler.replace([*desk.core.scheduler.schedules(), Schedule(job=job)])
    yield boards
    boards.may_end.set()


async def hold(desk: Desk, job: str = JOB, **changes: Any) -> int:
    """Hold a plan as a run of the job would, in its number."""
    now = desk.clock.now()
    draft = PlanDraft(
        **{
            "job": job,
            "run_id": 1,
            "deletes": len(USERS),
            "base": 10,
            "reasons": ("3 of 10 rows would be deleted",),
            "is_hard": False,
            "digest": DIGEST,
            "sample": USERS[:1],
            "created_at": now,
            "expires_at": now + DAY,
            **changes,
        }
    )
    async with desk.core.database.transaction() as connection:
        await connection.execute(load_blocks("plans")["stage_missing"])
        await connection.execute("TRUNCATE lb_missing")
        rows = [(user,) for user in USERS]
        await connection.copy_records_to_table("lb_missing", records=rows)
        return await desk.core.plans.hold(connection, draft)


async def approve(
    desk: Desk, number: int, deletes: int | None = None, digest: str = DIGEST
) -> dict[str, Any]:
    return await desk.control.approve_plan(number, digest, deletes, actor="ops")


async def execute(desk: Desk, query: str, *values: Any) -> Any:
    async with desk.core.database.connection() as connection:
        return await connection.fetchval(query, *values)


async def bury(desk: Desk, run_id: int) -> None:
    """Let a run have deleted a row."""
    await execute(
        desk,
        "INSERT INTO leaderboard_tombstones (run_id, user_id, job, target, row_data, deleted_at)"
        " VALUES ($1, 'ada', $2, 'syncd.pomo_leaderboard', $3, now())",
        run_id,
        JOB,
        {"user_id": "ada"},
    )


async def test_an_approval_starts_the_full_run_that_applies_the_plan(
    desk: Desk, boards: Boards
) -> None:
    told: list[Any] = []
    number = await hold(desk)

    with desk.core.bus.subscribed(told.append):
        answer = await approve(desk, number)
    ended = await desk.end(answer["run"]["id"])

    assert (answer["plan"]["state"], answer["plan"]["decided_by"]) == ("approved", "ops")
    assert (answer["note"], answer["run"]["cause"], ended["outcome"]) == ("", "manual", "succeeded")
    assert boards.asked == [RunOptions(full=True)]
    [decided] = [event for event in told if isinstance(event, PlanDecided)]
    assert (decided.job, decided.plan, decided.decision, decided.deletes, decided.actor) == (
        JOB,
        number,
        "approved",
        3,
        "ops",
    )


async def test_an_approval_while_the_job_runs_is_for_the_next_run(
    desk: Desk, boards: Boards
) -> None:
    boards.may_end.clear()
    running = await desk.control.trigger(JOB, RunOptions(), None)
    number = await hold(desk)

    answer = await approve(desk, number)

    assert (answer["plan"]["state"], answer["run"]["id"]) == ("approved", running["id"])
    assert answer["note"].startswith(f"run {running['id']} goes on: the next full run")
    boards.may_end.set()
    await desk.end(running["id"])
    assert len(boards.asked) == 1


async def test_an_approval_of_a_paused_job_stands_until_it_runs_again(
    desk: Desk, boards: Boards
) -> None:
    await desk.control.pause(PauseScope.JOB, JOB, why="looking", until=None, actor="ops")
    number = await hold(desk)

    answer = await approve(desk, number)

    assert (answer["plan"]["state"], answer["run"], boards.asked) == ("approved", None, [])
    assert "no run was started, the next full one applies the plan: " in answer["note"]
    assert "paused" in answer["note"]


async def test_a_hard_plan_takes_the_typed_number(desk: Desk, boards: Boards) -> None:
    number = await hold(desk, is_hard=True)

    for deletes in (None, 2):
        with pytest.raises(WrongState, match="another number of rows"):
            await approve(desk, number, deletes)
    with pytest.raises(WrongState, match="another digest"):
        await approve(desk, number, 3, digest="sha256:other")
    assert boards.asked == []

    assert (await approve(desk, number, 3))["plan"]["state"] == "approved"


async def test_nothing_is_approved_that_could_not_be_run(desk: Desk, boards: Boards) -> None:
    number = await hold(desk)
    desk.control.is_stopping = True

    with pytest.raises(StoreUnavailable, match="syncd is stopping"):
        await approve(desk, number)

    assert (await desk.control.plan(number))["state"] == "held"


async def test_a_rejection_says_who_and_why_and_keeps_the_rows(desk: Desk, boards: Boards) -> None:
    told: list[Any] = []
    number = await hold(desk)

    with desk.core.bus.subscribed(told.append):
        answer = await desk.control.reject_plan(number, why="only late", actor="ops")

    assert (answer["plan"]["state"], answer["plan"]["decided_by"]) == ("rejected", "ops")
    [decided] = [event for event in told if isinstance(event, PlanDecided)]
    assert (decided.decision, decided.why) == ("rejected", "only late")
    assert (
        await execute(desk, "SELECT count(*) FROM leaderboard_missing WHERE kept_by = $1", number)
        == 3
    )
    assert boards.asked == []


async def test_an_approval_is_not_taken_back_under_a_run_that_may_be_applying_it(
    desk: Desk, boards: Boards
) -> None:
    boards.may_end.clear()
    number = await hold(desk)
    run_id = (await approve(desk, number))["run"]["id"]

    with pytest.raises(WrongState, match=f"run {run_id} may be applying it"):
        await desk.control.reject_plan(number, why="", actor="ops")

    boards.may_end.set()
    await desk.end(run_id)
    assert (await desk.control.reject_plan(number, why="", actor="ops"))["plan"][
        "state"
    ] == "rejected"


async def test_a_decision_does_not_go_over_one_that_was_not_seen(
    desk: Desk, boards: Boards
) -> None:
    number = await hold(desk)
    await desk.control.reject_plan(number, why="", actor="boss", seen=PlanState.HELD)

    with pytest.raises(WrongState, match=r"was rejected by boss at .*: it was seen otherwise"):
        await desk.control.approve_plan(number, DIGEST, None, actor="ops", seen=PlanState.HELD)

    assert (await desk.control.plan(number))["state"] == "rejected"
    assert boards.asked == []


async def test_a_plan_is_shown_with_its_rows_and_the_run_that_held_it(
    desk: Desk, boards: Boards
) -> None:
    run = await desk.control.trigger(JOB, RunOptions(), None)
    await desk.end(run["id"])
    number = await hold(desk, run_id=run["id"])

    shown = await desk.control.plan(number)
    [listed] = await desk.control.plans(JOB, None, 50)

    assert sorted(shown["rows"]) == sorted(USERS)
    assert (shown["run"]["id"], shown["run"]["outcome"]) == (run["id"], "succeeded")
    assert {**listed, "rows": shown["rows"], "run": shown["run"]} == shown
    assert b'"created_at":"2026-' in to_json(listed)
    with pytest.raises(NotKnown, match="there is no plan 4711"):
        await desk.control.plan(4711)


async def test_a_plan_whose_run_is_forgotten_is_still_shown(desk: Desk, boards: Boards) -> None:
    assert (await desk.control.plan(await hold(desk, run_id=4711)))["run"] is None


async def test_jobs_of_other_kinds_have_none_of_it(desk: Desk, boards: Boards) -> None:
    control = desk.control
    number = await hold(desk, PROFILES)
    run = await control.trigger(PROFILES, RunOptions(), None)
    await desk.end(run["id"])

    for order in (
        control.plans(PROFILES, None, 50),
        control.backups(PROFILES),
        approve(desk, number),
        control.reject_plan(number, why="", actor="ops"),
        control.job_to_undo(run["id"]),
    ):
        with pytest.raises(
            BadInput, match="job sync is of kind profiles: plans, undo and rehydrate"
        ):
            await order
    with pytest.raises(NotKnown):
        await control.plans("nobody", None, 50)


async def test_only_a_run_whose_deletions_are_left_can_be_undone(
    desk: Desk, boards: Boards
) -> None:
    run = await desk.control.trigger(JOB, RunOptions(), None)
    await desk.end(run["id"])

    with pytest.raises(NotKnown, match=f"run {run['id']} deleted nothing that is still"):
        await desk.control.job_to_undo(run["id"])
    with pytest.raises(NotKnown, match="there is no run 4711"):
        await desk.control.job_to_undo(4711)
    await bury(desk, run["id"])

    assert await desk.control.job_to_undo(run["id"]) == JOB
    await execute(desk, "UPDATE leaderboard_tombstones SET restored_at = now()")
    with pytest.raises(NotKnown):
        await desk.control.job_to_undo(run["id"])


async def test_a_run_tells_what_else_it_was_asked_for(desk: Desk, boards: Boards) -> None:
    run = await desk.control.trigger(JOB, RunOptions(act="undo", of=7), None)

    ended = await desk.end(run["id"])

    assert (ended["options"]["act"], ended["options"]["of"]) == ("undo", 7)
    assert boards.asked == [RunOptions(act="undo", of=7)]


async def test_a_run_tells_what_it_came_to_on_the_boards(desk: Desk, boards: Boards) -> None:
    run = await desk.control.trigger(JOB, RunOptions(), None)
    before = await desk.end(run["id"])
    whole = Reconciliation(
        run_id=run["id"],
        job=JOB,
        mode="full",
        is_complete=True,
        is_dry=False,
        at=desk.clock.now(),
        created=7,
        seconds={"read": 0.25},
    )

    await execute(
        desk,
        "INSERT INTO reconciliations (run_id, job, mode, is_complete, is_dry, at, numbers)"
        " VALUES ($1, $2, 'full', true, false, $3, $4)",
        run["id"],
        JOB,
        whole.at,
        numbers_of(whole),
    )

    assert before["reconciliation"] is None
    assert (await desk.control.run(run["id"]))["reconciliation"] == asdict(whole)
    other = await desk.control.trigger(PROFILES, RunOptions(), None)
    assert (await desk.end(other["id"]))["reconciliation"] is None


async def test_backups_are_listed_newest_first_and_known_by_number(
    desk: Desk, boards: Boards
) -> None:
    add = (
        "INSERT INTO leaderboard_backups"
        " (job, run_id, table_name, target, rows, taken_at, expires_at)"
        " VALUES ($1, $2, 'copy', 'pomo_leaderboard', 10, now(), now()) RETURNING id"
    )
    first, second = [await execute(desk, add, JOB, run_id) for run_id in (1, 2)]

    listed = await desk.control.backups(JOB)

    assert [each["id"] for each in listed] == [second, first]
    assert set(listed[0]) == {
        "id",
        "job",
        "run_id",
        "table_name",
        "target",
        "rows",
        "taken_at",
        "expires_at",
    }
    assert await desk.control.backups(None) == listed
    assert await desk.control.job_to_restore(first) == JOB
    with pytest.raises(NotKnown, match="there is no backup 4711"):
        await desk.control.job_to_restore(4711)
