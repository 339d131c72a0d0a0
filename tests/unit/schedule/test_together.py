"""Many jobs due at one instant are decided in groups: each gets what is its own all the same."""

from __future__ import annotations

from datetime import timedelta

from fakes.clock import START
from fakes.pretending import HOUR, Host, every
from fakes.scripted_job import DONE, succeed

from syncd.jobs.base import RunContext
from syncd.model.pause import Pause, PauseScope
from syncd.model.run import Ending, SkipReason
from syncd.model.schedule import Misfire

MANY = 450


def names(word: str) -> list[str]:
    return [f"{word}-{number:03}" for number in range(MANY)]


async def test_fires_of_one_instant_are_claimed_and_begin_as_config_toml_has_the_jobs(
    host: Host,
) -> None:
    order: list[str] = []

    async def work(context: RunContext) -> Ending:
        order.append(context.run.job)
        return DONE

    jobs = names("job")
    intervals = (HOUR, HOUR / 2, HOUR / 3)
    schedules = [every(name, work, intervals[place % 3]) for place, name in enumerate(jobs)]
    async with host.firing(*schedules):
        await host.clock.advance(3601)

    last = [run.job for run in host.runs() if run.fire_time == START + HOUR]
    assert last == jobs
    assert order[-MANY:] == jobs


async def test_one_of_many_that_is_paused_and_one_that_still_runs_are_skipped_alone(
    host: Host,
) -> None:
    async def work(context: RunContext) -> Ending:
        if context.run.job == "job-300":
            await host.clock.sleep(1.5 * 3600)
        return DONE

    pause = Pause(scope=PauseScope.JOB, key="job-007", paused_at=START)
    async with host.firing(*(every(name, work) for name in names("job"))) as process:
        process.around.admission.pause(pause)
        await host.clock.advance(2 * 3600 + 1)

    skipped = [(run.job, run.skip_reason) for run in host.runs() if run.skip_reason]
    assert skipped == [
        ("job-007", SkipReason.PAUSED),
        ("job-007", SkipReason.PAUSED),
        ("job-300", SkipReason.OVERLAP),
    ]
    assert len(host.ran()) == 2 * MANY - len(skipped)


async def test_jobs_whose_late_fires_are_treated_otherwise_keep_apart(host: Host) -> None:
    schedules = [
        every("once", succeed),
        every("skip", succeed, misfire=Misfire.SKIP, misfire_grace=timedelta(minutes=1)),
        every("all", succeed, misfire=Misfire.ALL),
    ]
    async with host.firing(*schedules):
        await host.clock.advance(60)
    await host.clock.advance(3.5 * 3600)
    async with host.firing(*schedules):
        await host.clock.advance(120)

    ran = {name: len(host.ran(name)) for name in ("once", "skip", "all")}
    assert ran == {"once": 1, "skip": 0, "all": 3}


async def test_of_many_jobs_those_that_go_while_the_ledger_is_asked_do_not_run(host: Host) -> None:
    schedules = [every(name, succeed) for name in names("job")]
    async with host.firing(*schedules) as process:
        claim = process.ledger.claim

        async def slow(*values: object) -> object:
            process.scheduler.apply(schedules[:-50])
            return await claim(*values)  # type: ignore[arg-type]

        process.ledger.claim = slow  # type: ignore[assignment, method-assign]
        await host.clock.advance(3601)

    ended = {run.job for run in host.runs() if str(run.outcome) == "succeeded"}
    assert ended == set(names("job")[:-50])
    assert all(run.outcome.is_final for run in host.runs())


async def test_one_of_many_that_is_paused_while_the_ledger_is_asked_waits_for_the_end_of_that(
    host: Host,
) -> None:
    pause = Pause(scope=PauseScope.JOB, key="job-007", paused_at=START)
    async with host.firing(*(every(name, succeed) for name in names("job"))) as process:
        claim = process.ledger.claim

        async def slow(*values: object) -> object:
            process.around.admission.pause(pause)
            return await claim(*values)  # type: ignore[arg-type]

        process.ledger.claim = slow  # type: ignore[assignment, method-assign]
        await host.clock.advance(3601)
        held = [run.job for run in host.runs() if run.started_at is None]
        process.around.admission.resume(PauseScope.JOB, "job-007")
        await host.clock.advance(1)

    assert held == ["job-007"]
    assert all(run.outcome.is_final for run in host.runs())
