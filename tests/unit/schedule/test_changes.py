"""Jobs that change, go or jump while the scheduler is at work."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from datetime import timedelta
from typing import Any

from fakes.pretending import HOUR, Host, every
from fakes.scripted_job import succeed

from syncd.errors import SourceUnavailable
from syncd.jobs.base import RunContext
from syncd.model.run import Cause, Ending
from syncd.schedule.cron import parse_cron


async def unreachable(context: RunContext) -> Ending:
    raise SourceUnavailable("cannot reach the source")


def off(schedule: Any) -> Any:
    return replace(schedule, job=replace(schedule.job, enabled=False))


async def test_a_job_removed_while_its_retry_waits_does_not_end_the_scheduler(host: Host) -> None:
    failing, other = every("failing", unreachable), every("other", succeed)
    async with host.firing(failing, other) as process:
        await host.clock.advance(3600 + 5)
        process.scheduler.apply([other])
        await host.clock.advance(600)

        assert not process.is_dead


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
    gone, other = every("gone", succeed), every("other", succeed)
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

        assert not process.is_dead
        assert not [run for run in host.runs() if not run.outcome.is_final]


async def test_a_jump_of_a_year_leaves_the_loop_its_turns(host: Host) -> None:
    """Jobs with seconds: none of the looks' steps may take long."""
    jobs = [
        replace(
            every(f"job {n}", succeed, None, jitter=timedelta(milliseconds=1)),
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
