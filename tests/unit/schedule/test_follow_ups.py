"""What follows from runs that ended or were interrupted."""

from __future__ import annotations

from typing import Any

from fakes.pretending import HOUR, Host, every
from fakes.scripted_job import DONE, succeed

from syncd.errors import LeaseLost, SourceUnavailable
from syncd.jobs.base import RunContext
from syncd.model.run import Cause, Ending, Outcome, Run, RunOptions
from syncd.model.schedule import Overlap
from syncd.telemetry.events import RunCrashed


async def test_a_run_whose_end_is_refused_by_the_fence_is_no_crash(host: Host) -> None:
    async with host.firing(every("job", succeed)) as process:

        async def refuse(*_: Any) -> Run | None:
            raise LeaseLost("this syncd does not lead any more; nothing was written")

        process.ledger.finish = refuse  # type: ignore[method-assign]
        await host.clock.advance(3601)

    assert host.told(RunCrashed) == []


async def test_a_whole_retry_is_not_lost_when_a_dry_run_ran_before_a_restart(host: Host) -> None:
    fails = True

    async def work(context: RunContext) -> Ending:
        if fails and not context.run.options.dry_run:
            raise SourceUnavailable("cannot reach the source")
        return DONE

    job = every("job", work, 24 * HOUR)
    async with host.firing(job) as process:
        await host.clock.advance(24 * 3600 + 5)
        await process.scheduler.trigger("job", RunOptions(dry_run=True))
        await host.clock.advance(5)
    async with host.firing(job):
        await host.clock.advance(600)

    assert Cause.RETRY in [run.cause for run in host.runs()]


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
    first = every("first", succeed)
    second = every("second", succeed, None, after=("first",))
    async with host.firing(first, second) as process:
        process.flaky.broken.add("follow")
        await host.clock.advance(3602)
    async with host.firing(first, second):
        await host.clock.advance(5)
        soon = len(host.runs("second"))
        await host.clock.advance(120)
    assert (soon, len(host.runs("second"))) == (1, 1)


async def test_a_line_goes_on_where_a_run_could_not_be_begun(host: Host) -> None:
    async def work(context: RunContext) -> Ending:
        await host.clock.sleep(3600 * 1.5)
        return DONE

    async with host.firing(every("job", work, overlap=Overlap.QUEUE)) as process:
        finish = process.ledger.finish

        async def refused(run_id: Any, ending: Any, at: Any) -> Run | None:
            process.ledger.finish = finish  # type: ignore[method-assign]
            return None

        process.ledger.finish = refused  # type: ignore[method-assign]
        await host.clock.advance(2.5 * 3600 + 1)
        assert [run.outcome for run in host.runs()][1] is Outcome.RUNNING
