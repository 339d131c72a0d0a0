"""Overlap, clock jumps and downtime: the cases of time in virtual time."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta

import pytest
from fakes.clock import START
from fakes.pretending import HOUR, Host, every
from fakes.scripted_job import DONE, succeed

from syncd.errors import AlreadyRunning
from syncd.jobs.base import RunContext
from syncd.model.run import Ending, Outcome, RunOptions, SkipReason
from syncd.schedule.roster import Schedule
from syncd.telemetry.events import ClockJumped, FireSkipped

DAY = timedelta(days=1)


def lasting(host: Host, hours: float) -> Schedule:
    async def work(context: RunContext) -> Ending:
        await host.clock.sleep(hours * 3600)
        return DONE

    return every("job", work)


async def test_a_run_longer_than_its_interval_leaves_one_run_and_says_why_not_two(
    host: Host,
) -> None:
    async with host.firing(lasting(host, 2.5)) as process:
        await host.clock.advance(1.5 * 3600)
        with pytest.raises(AlreadyRunning) as refusal:
            await process.scheduler.trigger("job", RunOptions())
        await host.clock.advance(2.2 * 3600)
        most = len(process.engine.active())

    assert refusal.value.run_id == host.runs()[0].id
    assert most == 0
    assert [(run.outcome, run.skip_reason) for run in host.runs()] == [
        (Outcome.SUCCEEDED, None),
        (Outcome.SKIPPED, SkipReason.OVERLAP),
        (Outcome.SKIPPED, SkipReason.OVERLAP),
    ]


async def test_a_jump_of_two_hours_gives_each_fire_of_the_gap_a_verdict_and_runs_the_latest(
    host: Host,
) -> None:
    async with host.firing(every("job", succeed)):
        await host.clock.advance(600)
        host.clock.jump_wall(2 * HOUR)
        await host.clock.advance(60)

    assert [(run.fire_time, run.skip_reason) for run in host.runs()] == [
        (START + HOUR, SkipReason.COALESCED),
        (START + 2 * HOUR, None),
    ]
    (jump,) = host.told(ClockJumped)
    assert (jump.kind, jump.seconds) == ("forward", 7200)


async def test_a_clock_set_back_an_hour_fires_nothing_twice(host: Host) -> None:
    async with host.firing(every("job", succeed)):
        await host.clock.advance(2.5 * 3600)
        host.clock.jump_wall(-HOUR)
        await host.clock.advance(2 * 3600)

    assert [run.fire_time for run in host.runs()] == [START + n * HOUR for n in (1, 2, 3)]
    assert [event.kind for event in host.told(ClockJumped)] == ["backward"]


@pytest.mark.parametrize("jump", [timedelta(days=3652), 3 * DAY])
async def test_years_ahead_cost_little_and_each_job_catches_up_once(
    host: Host, jump: timedelta
) -> None:
    jobs = [every(f"job {n}", succeed, timedelta(minutes=n + 1)) for n in range(4)]
    async with host.firing(*jobs):
        await host.clock.advance(1)
        begun = time.process_time()
        if jump == 3 * DAY:
            host.clock.suspend(jump.total_seconds())
        else:
            host.clock.jump_wall(jump)
        await host.clock.advance(59)
        took = time.process_time() - begun

    assert took < 5
    assert [len(host.ran(schedule.job.name)) for schedule in jobs] == [1] * 4
    assert all(len(host.runs(schedule.job.name)) <= 1_002 for schedule in jobs)
    (told,) = host.told(ClockJumped)
    assert told.kind == ("suspended" if jump == 3 * DAY else "corrected_forward")
    assert len(host.told(FireSkipped)) == 4


async def test_after_a_jump_of_years_and_back_jobs_fire_on(host: Host) -> None:
    async with host.firing(every("job", succeed)):
        await host.clock.advance(600)
        host.clock.jump_wall(timedelta(days=3652))
        await host.clock.advance(60)
        host.clock.jump_wall(-timedelta(days=3652))
        await host.clock.advance(3 * 3600)

    fired = [run.fire_time for run in host.ran() if run.fire_time]
    assert sorted(fired)[:3] == [START + n * HOUR for n in (1, 2, 3)]
    kinds = [event.kind for event in host.told(ClockJumped)]
    assert kinds == ["corrected_forward", "corrected_backward"]


async def test_after_eight_hours_down_seven_catch_ups_are_spread_and_none_starts_twice(
    host: Host,
) -> None:
    starts: list[tuple[str, float]] = []

    def counted(name: str) -> Schedule:
        async def work(context: RunContext) -> Ending:
            starts.append((name, host.clock.monotonic()))
            await asyncio.sleep(0)
            return DONE

        return every(name, work)

    jobs = [counted(f"job {n}") for n in range(7)]
    async with host.firing(*jobs):
        await host.clock.advance(120)
    await host.clock.advance(8 * 3600)
    began = host.clock.monotonic()
    async with host.firing(*jobs):
        await host.clock.advance(120)

    assert [name for name, _ in starts] == [f"job {n}" for n in range(7)]
    assert [at - began for _, at in starts] == pytest.approx([5 * n for n in range(7)])
    verdicts = {str(run.skip_reason or run.cause) for run in host.runs()}
    assert verdicts == {"coalesced", "catch_up"}
    assert len(host.runs()) == 7 * 8


async def test_a_process_that_dies_again_before_its_catch_ups_began_spreads_them_again(
    host: Host,
) -> None:
    jobs = [every(f"job {n}", succeed) for n in range(4)]
    async with host.firing(*jobs):
        await host.clock.advance(120)
    await host.clock.advance(8 * 3600)
    async with host.firing(*jobs):
        await host.clock.advance(6)
    async with host.firing(*jobs):
        await host.clock.advance(4)
        early = len([run for run in host.ran() if run.started_at])
        await host.clock.advance(30)

    assert early == 3
    assert [run.outcome for run in host.ran()] == [Outcome.SUCCEEDED] * 4
    assert len(host.runs()) == 4 * 8
