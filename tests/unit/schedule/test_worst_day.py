"""What a review of time and verdicts found."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from fakes.clock import START, FakeClock
from fakes.pretending import HOUR, Host, Process, every
from fakes.scheduling import Flaky

from syncd.errors import LeaseLost, SourceUnavailable, StoreUnavailable
from syncd.jobs.base import RunContext
from syncd.model.pause import Pause, PauseScope
from syncd.model.run import Cause, Ending, Outcome, Run, RunOptions, SkipReason
from syncd.model.schedule import Overlap
from syncd.schedule.cron import parse_cron
from syncd.telemetry.events import RunCrashed

MINUTE = timedelta(minutes=1)
DONE = Ending(outcome=Outcome.SUCCEEDED)


@pytest.fixture
def host() -> Host:
    return Host(FakeClock())


async def quickly(context: RunContext) -> Ending:
    return DONE


async def unreachable(context: RunContext) -> Ending:
    raise SourceUnavailable("cannot reach the source")


def is_dead(process: Process) -> bool:
    assert process._firing is not None
    return process._firing.done()


def flaky(process: Process) -> Flaky:
    """Put a ledger between that can fail."""
    ledger = Flaky(process.ledger)
    for part in (
        process.scheduler,
        process.scheduler._looks,
        process.scheduler._follow_ups,
    ):
        part._ledger = ledger  # type: ignore[assignment]
    return ledger


def off(schedule: Any) -> Any:
    return replace(schedule, job=replace(schedule.job, enabled=False))


async def test_a_job_removed_while_its_retry_waits_does_not_end_the_scheduler(host: Host) -> None:
    failing, other = every("failing", unreachable), every("other", quickly)
    async with host.firing(failing, other) as process:
        await host.clock.advance(3600 + 5)
        process.scheduler.apply([other])
        await host.clock.advance(600)

        assert not is_dead(process), process._firing


async def test_a_job_switched_off_while_its_retry_waits_is_not_tried_again(host: Host) -> None:
    failing = every("failing", unreachable)
    async with host.firing(failing) as process:
        await host.clock.advance(3600 + 5)
        process.scheduler.apply([off(failing)])
        await host.clock.advance(600)

        assert [run.cause for run in host.runs()] == [Cause.SCHEDULE]


async def test_a_job_rescheduled_while_its_retry_waits_is_tried_once(host: Host) -> None:
    failing = every("failing", unreachable)
    async with host.firing(failing) as process:
        await host.clock.advance(3600 + 5)
        process.scheduler.apply([every("failing", unreachable, 2 * HOUR)])
        await host.clock.advance(100)
        assert len(host.runs()) == 2


async def test_a_job_removed_while_its_fire_is_claimed_does_not_end_the_scheduler(
    host: Host,
) -> None:
    gone, other = every("gone", quickly), every("other", quickly)
    async with host.firing(gone, other) as process:
        claim, going = process.ledger.claim, asyncio.Event()

        async def slow_claim(fires: Any, now: Any) -> Any:
            answer = await claim(fires, now)
            going.set()
            await host.clock.sleep(1)
            return answer

        process.ledger.claim = slow_claim  # type: ignore[method-assign]
        await host.clock.advance(3600.5)
        assert going.is_set()
        process.scheduler.apply([other])
        await host.clock.advance(7205)

        assert not is_dead(process), process._firing
        assert not [run for run in host.runs() if not run.outcome.is_final]


async def test_a_catch_up_that_is_held_back_begins_after_postgresql_was_away(host: Host) -> None:
    jobs = [every(f"job {n}", quickly) for n in range(3)]
    async with host.firing(*jobs):
        await host.clock.advance(600)
    await host.clock.advance(8 * 3600)
    fast = every("fast", quickly, timedelta(seconds=1))
    async with host.firing(*jobs, fast) as process:
        claim = process.ledger.claim

        async def away(*_: Any) -> Any:
            await host.clock.sleep(10)
            raise StoreUnavailable("no answer in time")

        process.ledger.claim = away  # type: ignore[method-assign]
        await host.clock.advance(25)
        process.ledger.claim = claim  # type: ignore[method-assign]
        await host.clock.advance(2 * 3600)

        stuck = [run for run in host.ran() if run.outcome is Outcome.CLAIMED]
        overlaps = [run for run in host.runs() if run.skip_reason is SkipReason.OVERLAP]
        assert (stuck, len(overlaps)) == ([], 0)


async def test_a_chain_whose_reply_is_lost_and_is_paused_then_leaves_no_claimed_row(
    host: Host,
) -> None:
    first = every("first", quickly)
    second = every("second", quickly, None, after=("first",))
    async with host.firing(first, second) as process:
        ledger = flaky(process)
        ledger.loses_reply.add("follow")
        await host.clock.advance(3601)
        pause = Pause(
            scope=PauseScope.JOB, key="second", why="x", until=None, paused_at=host.clock.now()
        )
        process.around.admission.pause(pause)
        await host.clock.advance(600)
        process.around.admission.resume(PauseScope.JOB, "second")
        await host.clock.advance(600)

        assert [run.outcome for run in host.runs("second")] != [Outcome.CLAIMED]


async def test_a_change_while_postgresql_is_away_does_not_spin(host: Host) -> None:
    job = every("job", quickly, MINUTE)
    async with host.firing(job) as process:
        ledger = flaky(process)
        await host.clock.advance(30)
        asked = 0

        async def away(*_: Any, **__: Any) -> Any:
            nonlocal asked
            asked += 1
            if asked > 3_000:
                await asyncio.get_running_loop().create_future()
            raise StoreUnavailable("no answer in time")

        process.scheduler._ledger = type("L", (), {"settle": away, "recover": away})()
        process.scheduler.apply([every("job", quickly, 2 * MINUTE)])
        await host.clock.advance(120)

        assert asked < 60, asked
        del ledger


async def test_a_fire_after_a_change_made_while_postgresql_was_away_has_its_row(
    host: Host,
) -> None:
    async with host.firing(every("job", quickly, 24 * HOUR)) as process:
        await host.clock.advance(3600)
        settle = process.ledger.settle

        async def away(*_: Any, **__: Any) -> Any:
            await host.clock.sleep(10)
            raise StoreUnavailable("no answer in time")

        process.ledger.settle = away  # type: ignore[method-assign]
        process.scheduler.apply([every("job", quickly, 2 * HOUR)])
        await host.clock.advance(3600 + 60)
        process.ledger.settle = settle  # type: ignore[method-assign]
        await host.clock.advance(120)

        # The change was made at 01:00; 02:00 is a fire time of the new schedule.
        assert [run.fire_time for run in host.runs()] == [START + 2 * HOUR]


async def test_a_run_whose_end_is_refused_by_the_fence_is_no_crash(host: Host) -> None:
    async with host.firing(every("job", quickly)) as process:

        async def refuse(*_: Any) -> Run | None:
            raise LeaseLost("this syncd does not lead any more; nothing was written")

        process.ledger.finish = refuse  # type: ignore[method-assign]
        await host.clock.advance(3601)

    assert host.told(RunCrashed) == []


async def test_a_jump_of_a_year_leaves_the_loop_its_turns(host: Host) -> None:
    """Jobs with seconds: none of the looks' steps may take long."""
    jobs = [
        replace(
            every(f"job {n}", quickly, None, jitter=timedelta(milliseconds=1)),
            cron=parse_cron("*/3 * * * * *", "UTC", "job"),
        )
        for n in range(6)
    ]
    async with host.firing(*jobs) as process:
        await host.clock.advance(10)
        host.clock.jump_wall(timedelta(days=400))
        turns, ended = 0, False

        async def beat() -> None:
            nonlocal turns
            while not ended:
                turns += 1
                await asyncio.get_running_loop().run_in_executor(None, time.sleep, 0.001)

        beating = asyncio.ensure_future(beat())
        claim, turns_at_claim = process.ledger.claim, 0

        async def claim_noting(fires: Any, now: Any) -> Any:
            nonlocal turns_at_claim
            turns_at_claim = turns_at_claim or turns
            return await claim(fires, now)

        process.ledger.claim = claim_noting  # type: ignore[method-assign]
        await host.clock.advance(61)
        ended = True
        await beating

    assert turns_at_claim > len(jobs), "others had their turns while it was decided"


async def test_a_whole_retry_is_not_lost_while_a_dry_run_is_active(host: Host) -> None:
    async def work(context: RunContext) -> Ending:
        if not context.run.options.dry_run:
            raise SourceUnavailable("cannot reach the source")
        await host.clock.sleep(300)
        return DONE

    job = every("job", work, 24 * HOUR)
    async with host.firing(job) as process:
        await host.clock.advance(24 * 3600 + 5)
        await process.scheduler.trigger("job", RunOptions(dry_run=True))
        await host.clock.advance(3600)

    assert Cause.RETRY in [run.cause for run in host.runs()]


async def test_a_chain_found_after_a_crash_begins_soon(host: Host) -> None:
    first = every("first", quickly)
    second = every("second", quickly, None, after=("first",))
    async with host.firing(first, second) as process:
        ledger = flaky(process)
        ledger.broken.add("follow")
        await host.clock.advance(3602)
    async with host.firing(first, second):
        await host.clock.advance(5)
        soon = len(host.runs("second"))
        await host.clock.advance(120)
    assert (soon, len(host.runs("second"))) == (1, 1)


async def test_a_claim_whose_reply_is_lost_and_whose_job_changes_is_not_claimed_for_ever(
    host: Host,
) -> None:
    async with host.firing(every("job", quickly)) as process:
        ledger = flaky(process)
        ledger.loses_reply.add("claim")
        await host.clock.advance(3602)
        process.scheduler.apply([every("job", quickly, 3 * HOUR)])
        await host.clock.advance(8 * 3600)

        assert all(run.outcome.is_final for run in host.runs()), host.runs()


async def test_with_replace_a_waiting_run_gives_way_to_a_newer_fire(host: Host) -> None:
    """After a crash: what was interrupted is replaced as well."""

    async def work(context: RunContext) -> Ending:
        await context.stop.wait()
        return DONE

    job = every("job", work, overlap=Overlap.REPLACE)
    async with host.firing(job):
        await host.clock.advance(3600 + 60)
    await host.clock.advance(3600)
    async with host.firing(job):
        await host.clock.advance(30)
    assert host.runs()[1].outcome is not Outcome.SKIPPED
