"""After downtime, a lost store or a failed run: fires run late, what is left is tried again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from fakes.clock import FakeClock
from fakes.running import JOB, Running, draft, profile_of, running, to_job
from fakes.scheduling import (
    AT,
    HOUR,
    NOON,
    ended,
    ended_in_time,
    fired,
    firing,
    flaky,
    hourly,
    rows,
    started,
)

from syncd.errors import PlatformDown, Stopping, StoreUnavailable
from syncd.model.account import Account
from syncd.model.profile import Fetched
from syncd.model.run import Cause, Outcome, RunOptions, SkipReason
from syncd.schedule.roster import Schedule
from syncd.store.database import Database
from syncd.telemetry.events import JobRegistered


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(AT)


@pytest.fixture
async def world(database: Database, clock: FakeClock) -> AsyncIterator[Running]:
    async with running(database, clock) as world:
        yield world


@pytest.mark.parametrize("downtime", [timedelta(hours=3), timedelta(days=400)])
async def test_after_downtime_the_latest_missed_fire_is_run_once(
    world: Running, clock: FakeClock, downtime: timedelta
) -> None:
    await fired(world, NOON - HOUR - downtime)
    async with firing(world, hourly()):
        await started(world, 2)
        await clock.advance(60)
        after = await started(world, 3)
        coalesced = [run for run in await rows(world) if run.skip_reason]

    assert {run.skip_reason for run in coalesced} == {SkipReason.COALESCED}
    assert [(run.fire_time, run.cause) for run in after[1:]] == [
        (NOON - HOUR, Cause.CATCH_UP),
        (NOON, Cause.SCHEDULE),
    ]


async def test_a_new_job_does_not_catch_up_with_the_past(world: Running, clock: FakeClock) -> None:
    async with firing(world, hourly()):
        await clock.advance(30)

    assert await rows(world) == []


async def test_a_first_fire_missed_while_nobody_was_there_is_run_at_the_next_start(
    world: Running, clock: FakeClock
) -> None:
    async with firing(world, hourly()):
        await clock.advance(30)
    await clock.advance(3600)

    async with firing(world, hourly()):
        runs = await ended(world, 1)

    assert (runs[0].fire_time, runs[0].cause) == (NOON, Cause.CATCH_UP)


async def test_a_scheduler_that_is_closed_starts_nothing(world: Running) -> None:
    async with firing(world, hourly()) as scheduler:
        await scheduler.close()

        with pytest.raises(Stopping):
            await scheduler.trigger(JOB, RunOptions())

    assert await rows(world) == []


async def test_an_interval_goes_on_counting_over_a_restart(
    world: Running, clock: FakeClock
) -> None:
    schedule = Schedule(job=to_job(), every=HOUR)
    async with firing(world, schedule) as scheduler:
        first = scheduler.next_fire(JOB)
    await clock.advance(600)

    async with firing(world, schedule) as scheduler:
        again = scheduler.next_fire(JOB)

    assert first == again == AT + HOUR


async def test_a_run_left_by_a_dead_process_is_gone_on_with(
    world: Running, database: Database, clock: FakeClock
) -> None:
    await world.link(4)
    number = await world.start_nothing()
    await world.runs.begin(number, AT - timedelta(minutes=5))
    async with running(database, clock, holder="two") as later, firing(later, hourly()):
        runs = await ended(later, 1)

    assert [(run.id, run.outcome, run.resumed) for run in runs] == [(number, Outcome.SUCCEEDED, 1)]


async def test_a_run_whose_job_is_gone_is_abandoned_with_the_reason(
    world: Running, database: Database, clock: FakeClock
) -> None:
    number = await world.start_nothing()
    async with firing(world):
        runs = await ended(world, 1)

    assert [(run.id, run.outcome) for run in runs] == [(number, Outcome.ABANDONED)]
    assert runs[0].error == "its job is no longer in config.toml"


async def test_a_dry_run_left_by_a_dead_process_is_not_counted_twice(
    world: Running, database: Database, clock: FakeClock
) -> None:
    number = await world.runs.create(draft(clock, RunOptions(dry_run=True)))
    await world.runs.begin(number, AT)
    async with running(database, clock, holder="two") as later, firing(later, hourly()):
        runs = await ended(later, 1)

    assert [run.outcome for run in runs] == [Outcome.ABANDONED]


async def test_a_fire_that_finds_the_store_down_is_kept_and_run_late(
    world: Running, clock: FakeClock
) -> None:
    ledger = flaky(world)
    async with firing(world, hourly()):
        ledger.broken = {"claim"}
        await clock.advance(600)
        ledger.broken = set()
        await clock.advance(10)

        runs = await ended(world, 1)

    assert [(run.fire_time, run.cause, run.outcome) for run in runs] == [
        (NOON, Cause.CATCH_UP, Outcome.SUCCEEDED)
    ]


async def test_a_fire_whose_claim_lost_its_reply_is_run_once(
    world: Running, clock: FakeClock
) -> None:
    ledger = flaky(world)
    async with firing(world, hourly()):
        ledger.loses_reply = {"claim"}
        await clock.advance(60)
        await clock.advance(10)

        runs = await ended(world, 1)

    assert [(run.fire_time, run.outcome) for run in runs] == [(NOON, Outcome.SUCCEEDED)]


@pytest.mark.parametrize("question", ["recover", "verdicts", "settle"])
async def test_a_start_that_finds_the_store_down_has_started_nothing(
    world: Running, question: str
) -> None:
    await world.start_nothing()
    flaky(world).broken = {question}
    scheduler = world.scheduler(hourly(), Schedule(job=replace(to_job(), name="b"), every=HOUR))

    with pytest.raises(StoreUnavailable):
        await scheduler.run()

    assert (world.engine.active(), world.told(JobRegistered)) == ([], [])


async def test_what_a_partial_run_left_is_tried_again_at_its_time_and_only_that(
    world: Running, clock: FakeClock
) -> None:
    await world.link(10)

    async def answer(account: Account) -> Fetched:
        if account.handle == "h0003" and world.platform.asked["h0003"] == 1:
            raise ZeroDivisionError
        return profile_of(account)

    world.platform.answering = answer
    async with firing(world, hourly()):
        await clock.advance(60)
        runs = await ended_in_time(world, clock, 2)

    assert runs[1].claimed_at - runs[0].claimed_at >= timedelta(minutes=15)
    assert [(run.cause, run.outcome, run.report.seen) for run in runs] == [
        (Cause.SCHEDULE, Outcome.PARTIAL, 10),
        (Cause.RETRY, Outcome.SUCCEEDED, 1),
    ]


async def test_a_platform_that_was_down_is_tried_again_and_everybody_is_done(
    world: Running, clock: FakeClock
) -> None:
    await world.link(60)

    async def down(account: Account) -> Fetched:
        raise PlatformDown("HTTP 503")

    world.platform.answering = down
    async with firing(world, hourly()):
        await clock.advance(60)
        await ended(world, 1)
        world.platform.answering = world.platform.agree
        runs = await ended_in_time(world, clock, 2)

    assert [(run.cause, run.outcome) for run in runs] == [
        (Cause.SCHEDULE, Outcome.FAILED),
        (Cause.RETRY, Outcome.SUCCEEDED),
    ]
    assert runs[1].report.created == 60


@pytest.mark.parametrize("narrowed", [{"limit": 5}, {"dry_run": True}, {"only": ("u0003",)}])
async def test_a_narrowed_run_is_not_tried_again(
    world: Running, clock: FakeClock, narrowed: dict[str, Any]
) -> None:
    await world.link(5)

    async def answer(account: Account) -> Fetched:
        raise ZeroDivisionError

    world.platform.answering = answer
    async with firing(world, hourly()) as scheduler:
        await scheduler.trigger(JOB, RunOptions(**narrowed))
        await ended(world, 1)
        world.platform.answering = world.platform.agree
        await clock.advance(50)
        clock.jump_wall(timedelta(minutes=-40))
        await clock.advance(35 * 60)
        runs = await rows(world)

    assert len(runs) == 1
