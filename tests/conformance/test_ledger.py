"""What the scheduler relies on, of the ledger in PostgreSQL and of the one that tests use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fakes.clock import FakeClock
from fakes.memory_ledger import MemoryLedger, Tables
from fakes.running import JOB, draft, fire_at

from syncd.errors import LeaseLost
from syncd.model.run import Cause, Ending, Fire, Outcome, Run, RunId, RunOptions, SkipReason
from syncd.model.schedule import Known, Registered
from syncd.store.runs import RunStore

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
CLOCK = FakeClock(AT)
DONE = Ending(outcome=Outcome.SUCCEEDED)

Ledger = Any
Processes = Callable[[str], Ledger]


@pytest.fixture(params=["memory", "PostgreSQL"])
def process(request: pytest.FixtureRequest) -> Processes:
    """Return what gives a process its view of one ledger."""
    if request.param == "memory":
        tables = Tables()
        return lambda holder: MemoryLedger(tables, holder)
    database = request.getfixturevalue("database")
    return lambda holder: RunStore(database, holder)


@pytest.fixture
def ledger(process: Processes) -> Ledger:
    return process("one")


def fire(hours: int = 0, **changes: Any) -> Fire:
    return fire_at(AT + hours * HOUR, **changes)


def skipped(hours: int, reason: SkipReason, **changes: Any) -> Fire:
    return fire(hours, skip_reason=reason, **changes)


def row_of(decided: Fire) -> Run:
    if decided.skip_reason is None:
        return draft(CLOCK, **decided._asdict())
    return draft(CLOCK, **decided._asdict(), outcome=Outcome.SKIPPED, finished_at=AT)


def job(name: str = JOB, schedule: str = "every 3600s", *, enabled: bool = True) -> Registered:
    return Registered(job=name, schedule=schedule, enabled=enabled)


async def stored(ledger: Ledger, runs: list[Run]) -> list[Run]:
    return [found for run in runs if (found := await ledger.read(run.id)) is not None]


async def test_all_that_a_look_decided_is_written_at_once_and_in_its_order(
    ledger: Ledger,
) -> None:
    decided = [
        skipped(2, SkipReason.COALESCED, fires_since=AT),
        fire(3),
        skipped(3, SkipReason.PAUSED, job="other"),
    ]

    claimed = await ledger.claim(decided, AT)

    rows = await stored(ledger, claimed)
    assert rows == claimed
    assert [run.id for run in claimed] == sorted(run.id for run in claimed)
    assert [replace(run, id=RunId(0)) for run in rows] == [row_of(each) for each in decided]


async def test_a_fire_time_belongs_to_who_claimed_it_first(process: Processes) -> None:
    first = await process("one").claim([fire(), fire(1)], AT)

    second = await process("two").claim([fire(1), fire(2)], AT)

    assert [run.fire_time for run in first] == [AT, AT + HOUR]
    assert [run.fire_time for run in second] == [AT + 2 * HOUR]


async def test_who_asks_again_gets_what_waits_and_may_decide_otherwise(ledger: Ledger) -> None:
    (first,) = await ledger.claim([fire()], AT)

    again = await ledger.claim([skipped(0, SkipReason.COALESCED)], AT)

    row = await ledger.read(first.id)
    assert [run.id for run in again] == [first.id]
    assert (row.outcome, row.skip_reason) == (Outcome.SKIPPED, SkipReason.COALESCED)
    assert await ledger.claim([fire()], AT) == []


async def test_what_began_is_not_claimed_again(ledger: Ledger) -> None:
    (run,) = await ledger.claim([fire()], AT)
    await ledger.begin(run.id, AT)

    assert await ledger.claim([fire()], AT) == []


async def test_nothing_decided_writes_nothing(ledger: Ledger) -> None:
    assert await ledger.claim([], AT) == []


async def test_a_job_counts_from_when_it_is_first_seen(ledger: Ledger) -> None:
    known = await ledger.settle([job(), job("other")], AT)
    later = await ledger.settle([job(), job("other")], AT + HOUR)

    assert (
        known
        == later
        == dict.fromkeys((JOB, "other"), Known(anchor_at=AT, counts_from=AT, decided_until=AT))
    )


async def test_the_newest_fire_time_that_has_a_row_is_decided(ledger: Ledger) -> None:
    await ledger.settle([job()], AT)
    await ledger.claim([fire(1), skipped(2, SkipReason.OVERLAP), fire(5)], AT)

    known = await ledger.settle([job()], AT + 6 * HOUR)
    set_back = await ledger.settle([job()], AT + 4 * HOUR)

    assert known[JOB].decided_until == AT + 5 * HOUR
    assert set_back[JOB].decided_until == AT + 2 * HOUR


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (job(), job(schedule="every 60s")),
        (job(enabled=False), job()),
        (job(schedule="cron a", enabled=False), job(schedule="cron b")),
    ],
    ids=["another schedule", "switched on", "both"],
)
async def test_a_job_that_changed_counts_from_now_unless_its_past_is_asked_for(
    ledger: Ledger, before: Registered, after: Registered
) -> None:
    await ledger.settle([before], AT)
    asked = await ledger.settle([after], AT + HOUR, catch_up=[JOB])
    await ledger.settle([before], AT + HOUR, catch_up=[JOB])

    known = await ledger.settle([after], AT + 2 * HOUR)

    assert asked[JOB].decided_until == AT
    assert known[JOB].decided_until == AT + 2 * HOUR
    assert known[JOB].anchor_at == AT


async def test_a_job_that_is_switched_off_keeps_what_it_counted(ledger: Ledger) -> None:
    await ledger.settle([job()], AT)

    known = await ledger.settle([job(enabled=False)], AT + HOUR)

    assert known[JOB].counts_from == AT


async def test_a_job_that_was_gone_counts_from_when_it_came_back(ledger: Ledger) -> None:
    await ledger.settle([job(), job("other")], AT)
    await ledger.settle([job("other")], AT + HOUR)

    known = await ledger.settle([job(), job("other")], AT + 5 * HOUR)

    assert (known[JOB].counts_from, known["other"].counts_from) == (AT + 5 * HOUR, AT)


async def test_no_job_counts_from_the_future(ledger: Ledger) -> None:
    await ledger.settle([job()], AT + 100 * HOUR)

    set_back = await ledger.settle([job()], AT)
    later = await ledger.settle([job()], AT + HOUR)

    assert set_back[JOB].counts_from == later[JOB].counts_from == AT


@pytest.mark.parametrize("cause", [Cause.CHAINED, Cause.RETRY])
async def test_a_run_is_followed_once_by_each_job_for_each_cause(
    process: Processes, cause: Cause
) -> None:
    ledger = process("one")
    origin = await ledger.create(draft(CLOCK))
    follower = draft(CLOCK, cause=cause, origin=origin, attempt=2)

    first = await ledger.follow(follower)
    again = await process("two").follow(follower)
    other = await ledger.follow(replace(follower, job="other"))
    await ledger.begin(first, AT)

    row = await ledger.read(first)
    assert (again, other != first) == (first, True)
    assert (row.origin, row.attempt, row.cause) == (origin, 2, cause)
    assert await ledger.follow(follower) is None


async def test_a_run_that_may_not_follow_is_written_down_with_the_reason(ledger: Ledger) -> None:
    origin = await ledger.create(draft(CLOCK))
    number = await ledger.follow(
        draft(CLOCK, cause=Cause.CHAINED, origin=origin, skip_reason=SkipReason.PAUSED)
    )

    row = await ledger.read(number)

    skipped = (Outcome.SKIPPED, SkipReason.PAUSED, AT)
    assert (row.outcome, row.skip_reason, row.finished_at) == skipped


async def test_a_run_that_may_follow_no_more_when_asked_again_waits_no_more(ledger: Ledger) -> None:
    follower = draft(CLOCK, cause=Cause.CHAINED, origin=await ledger.create(draft(CLOCK)))
    number = await ledger.follow(follower)
    again = await ledger.follow(replace(follower, skip_reason=SkipReason.PAUSED))
    row = await ledger.read(number)
    skipped = (number, Outcome.SKIPPED, SkipReason.PAUSED, AT)
    assert (again, row.outcome, row.skip_reason, row.finished_at) == skipped


async def test_what_a_dead_process_left_is_found_in_the_order_it_was_asked_for(
    process: Processes,
) -> None:
    dead, next_one = process("dead"), process("next")
    waiting, running, ended = await dead.claim([fire(0), fire(1), fire(2)], AT)
    await dead.begin(running.id, AT)
    await dead.begin(ended.id, AT)
    await dead.finish(ended.id, DONE, AT)

    left = await next_one.recover()

    assert [(run.id, run.outcome) for run in left] == [
        (waiting.id, Outcome.CLAIMED),
        (running.id, Outcome.INTERRUPTED),
    ]
    assert (await next_one.begin(running.id, AT + HOUR)).resumed == 1


async def test_what_runs_here_is_not_left(ledger: Ledger) -> None:
    (run,) = await ledger.claim([fire()], AT)
    await ledger.begin(run.id, AT)

    assert await ledger.recover() == []


async def test_an_abandoned_run_does_not_begin(ledger: Ledger) -> None:
    (run,) = await ledger.claim([fire()], AT)
    await ledger.abandon(run.id, AT, "its job is off")

    with pytest.raises(LeaseLost):
        await ledger.begin(run.id, AT)
    row = await ledger.read(run.id)
    assert (row.outcome, row.error) == (Outcome.ABANDONED, "its job is off")


async def test_a_run_that_is_replaced_before_it_begins_is_cancelled_and_says_why(
    ledger: Ledger,
) -> None:
    (run,) = await ledger.claim([fire()], AT)
    await ledger.abandon(run.id, AT, "replaced by run 2", Outcome.CANCELLED)

    row = await ledger.read(run.id)
    assert (row.outcome, row.error, row.finished_at) == (
        Outcome.CANCELLED,
        "replaced by run 2",
        AT,
    )


async def test_a_run_that_its_process_leaves_waits_for_the_next_start(ledger: Ledger) -> None:
    (run,) = await ledger.claim([fire()], AT)

    assert await ledger.interrupt(run.id) is None
    await ledger.begin(run.id, AT)
    left = await ledger.interrupt(run.id)

    assert left is not None
    assert (left.outcome, left.attempt) == (Outcome.INTERRUPTED, 1)
    assert [each.id for each in await ledger.recover()] == [run.id]
    assert (await ledger.begin(run.id, AT)).resumed == 1


async def test_the_last_verdict_is_of_what_ended_and_was_about_all(ledger: Ledger) -> None:
    first, second, _ = await ledger.claim([fire(0), fire(1), skipped(2, SkipReason.OVERLAP)], AT)
    dry = await ledger.create(draft(CLOCK, RunOptions(dry_run=True)))
    for number in (first.id, dry, second.id):
        last = await ledger.verdicts({JOB: None, "never": None})
        await ledger.begin(number, AT)
        await ledger.finish(number, Ending(outcome=Outcome.SUCCEEDED), AT)

    assert {name: run.id for name, run in last.items()} == {JOB: first.id}


@pytest.mark.parametrize(
    ("ending", "expected"),
    [
        (Ending(outcome=Outcome.FAILED, retryable=True), True),
        (Ending(outcome=Outcome.FAILED), False),
        (Ending(outcome=Outcome.PARTIAL, retryable=True), False),
    ],
)
async def test_only_a_failure_of_the_whole_run_may_be_retryable(
    ledger: Ledger, ending: Ending, expected: bool
) -> None:
    (run,) = await ledger.claim([fire()], AT)
    await ledger.begin(run.id, AT)

    ended = await ledger.finish(run.id, ending, AT)

    assert (ended.retryable, ended.outcome) == (expected, ending.outcome)
