"""What waits in line, held by a pause, or replaced after a crash."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import pytest
from fakes.clock import START
from fakes.pretending import HOUR, Host, Process, Working, every
from fakes.scripted_job import DONE, succeed

from syncd.jobs.base import RunContext
from syncd.model.pause import Pause, PauseScope
from syncd.model.run import Ending, Outcome, Run
from syncd.model.schedule import Misfire, Overlap

MINUTE = timedelta(minutes=1)
SCOPES = [(PauseScope.JOB, "job"), (PauseScope.ALL, "")]


def taking(host: Host, minutes: float) -> Working:
    async def work(context: RunContext) -> Ending:
        async with asyncio.TaskGroup() as group:
            timer = group.create_task(host.clock.sleep(minutes * 60))
            asked = group.create_task(context.stop.wait())
            timer.add_done_callback(lambda _: asked.cancel())
            asked.add_done_callback(lambda _: timer.cancel())
        return DONE

    return work


def pause(
    host: Host, process: Process, scope: PauseScope, key: str, until: datetime | None = None
) -> None:
    at = host.clock.now()
    held = Pause(scope=scope, key=key, why="", until=until, paused_at=at)
    process.around.admission.pause(held)


def begun(runs: list[Run]) -> list[datetime | None]:
    return [run.started_at for run in runs]


@pytest.mark.parametrize(("scope", "key"), SCOPES)
async def test_what_was_missed_and_waits_in_line_does_not_begin_while_a_pause_stands(
    host: Host, scope: PauseScope, key: str
) -> None:
    job = every("job", taking(host, 10), misfire=Misfire.ALL)
    async with host.firing(job):
        await host.clock.advance(1800)
    await host.clock.advance(3 * 3600)
    async with host.firing(job) as process:
        await host.clock.advance(60)
        pause(host, process, scope, key)
        await host.clock.advance(3600)
        held = begun(host.ran())
        process.around.admission.resume(scope, key)
        await host.clock.advance(1)
        resumed = begun(host.ran())
        await host.clock.advance(1200)

    back = START + 3.5 * HOUR
    assert held == [back, None, None]
    assert resumed == [back, back + 61 * MINUTE, None]
    assert [run.outcome for run in host.ran()] == [Outcome.SUCCEEDED] * 3


async def test_a_queued_fire_begins_at_the_moment_at_which_a_pause_ends_by_itself(
    host: Host,
) -> None:
    async with host.firing(every("job", taking(host, 90), overlap=Overlap.QUEUE)) as process:
        await host.clock.advance(2.25 * 3600)
        until = host.clock.now() + timedelta(hours=2, seconds=17)
        pause(host, process, PauseScope.JOB, "job", until)
        await host.clock.advance(3 * 3600)

    assert begun(host.ran())[:2] == [START + HOUR, until]


async def test_catch_ups_that_a_pause_held_are_spread_when_it_ends(host: Host) -> None:
    jobs = [every(f"job {n}", succeed) for n in range(3)]
    async with host.firing(*jobs):
        await host.clock.advance(600)
    await host.clock.advance(8 * 3600)
    async with host.firing(*jobs) as process:
        pause(host, process, PauseScope.ALL, "")
        await host.clock.advance(600)
        before = begun(host.ran())
        process.around.admission.resume(PauseScope.ALL, "")
        await host.clock.advance(30)
        after = begun(host.ran())

    now = START + timedelta(seconds=600 + 8 * 3600)
    resumed = now + 10 * MINUTE
    assert before == [now, None, None]
    assert after == [now, resumed, resumed + timedelta(seconds=5)]


async def test_what_a_crash_interrupted_is_gone_on_with_when_the_pause_ends(host: Host) -> None:
    job = every("job", taking(host, 150))
    async with host.firing(job):
        await host.clock.advance(1.5 * 3600)
    second = host.process(job)
    pause(host, second, PauseScope.JOB, "job")
    async with host.running(second):
        await host.clock.advance(600)
        (held,) = host.ran()
        second.around.admission.resume(PauseScope.JOB, "job")
        await host.clock.advance(1)
        (resumed,) = host.ran()

    assert (held.outcome, resumed.outcome, resumed.resumed) == (
        Outcome.INTERRUPTED,
        Outcome.RUNNING,
        1,
    )


async def test_a_run_that_a_crash_interrupted_is_replaced_by_the_fire_that_is_due(
    host: Host,
) -> None:
    job = every("job", taking(host, 600), overlap=Overlap.REPLACE)
    async with host.firing(job):
        await host.clock.advance(1.5 * 3600)
    await host.clock.advance(3600)
    async with host.firing(job):
        await host.clock.advance(60)

    first, second = host.runs()
    assert (first.outcome, first.error) == (Outcome.CANCELLED, f"replaced by run {second.id}")
    assert (second.outcome, second.started_at) == (Outcome.RUNNING, START + 2.5 * HOUR)


async def test_a_replaced_run_is_ended_once_postgresql_answers_again(host: Host) -> None:
    job = every("job", taking(host, 600), overlap=Overlap.REPLACE)
    async with host.firing(job):
        await host.clock.advance(1.5 * 3600)
    await host.clock.advance(3600)
    second = host.process(job)
    second.flaky.broken.add("abandon")
    async with host.running(second):
        await host.clock.advance(60)
        second.flaky.broken.clear()
        await host.clock.advance(60)

    assert [run.outcome for run in host.runs()] == [Outcome.CANCELLED, Outcome.RUNNING]


async def test_a_crash_between_the_claim_of_a_fire_and_the_end_of_what_it_replaces_leaves_one(
    host: Host,
) -> None:
    job = every("job", taking(host, 600), overlap=Overlap.REPLACE)
    async with host.firing(job) as process:
        await host.clock.advance(1.5 * 3600)
        process.flaky.loses_reply.add("claim")
        await host.clock.advance(1800)
    left = [run.outcome for run in host.runs()]
    async with host.firing(job):
        await host.clock.advance(60)

    first, second = host.runs()
    assert left == [Outcome.RUNNING, Outcome.CLAIMED]
    assert (first.outcome, first.error) == (Outcome.CANCELLED, f"replaced by run {second.id}")
    assert second.outcome is Outcome.RUNNING


async def test_catch_ups_that_a_crash_left_go_on_one_after_another_also_with_replace(
    host: Host,
) -> None:
    job = every("job", taking(host, 10), misfire=Misfire.ALL, overlap=Overlap.REPLACE)
    async with host.firing(job):
        await host.clock.advance(600)
    await host.clock.advance(2 * 3600)
    async with host.firing(job):
        await host.clock.advance(60)
    async with host.firing(job):
        await host.clock.advance(1500)

    assert [run.outcome for run in host.ran()] == [Outcome.SUCCEEDED] * 2
