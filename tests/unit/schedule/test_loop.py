"""The scheduler in virtual time: what runs beside, after, again and instead of what."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from fakes.clock import START
from fakes.pretending import HOUR, Host, Working, every
from fakes.scripted_job import DONE, succeed

from syncd.errors import AlreadyRunning, SourceUnavailable, SuspiciousPlan
from syncd.jobs.base import RunContext
from syncd.model.pause import Pause, PauseScope
from syncd.model.run import Cause, Ending, Outcome, Report, Run, RunOptions, SkipReason
from syncd.model.schedule import Misfire, Overlap
from syncd.telemetry.events import JobRegistered

MINUTE = timedelta(minutes=1)


def taking(host: Host, minutes: float) -> Working:
    """Work for so long, but end when asked to."""

    async def work(context: RunContext) -> Ending:
        async with asyncio.TaskGroup() as group:
            timer = group.create_task(host.clock.sleep(minutes * 60))
            asked = group.create_task(context.stop.wait())
            timer.add_done_callback(lambda _: asked.cancel())
            asked.add_done_callback(lambda _: timer.cancel())
        return DONE

    return work


async def unreachable(context: RunContext) -> Ending:
    raise SourceUnavailable("cannot reach the source")


async def hours(host: Host, count: float) -> None:
    await host.clock.advance(count * 3600)


def told(runs: list[Run]) -> list[tuple[str, str]]:
    return [(str(run.cause), str(run.skip_reason or run.outcome)) for run in runs]


async def test_a_fire_waits_in_line_and_begins_when_the_run_before_it_has_ended(
    host: Host,
) -> None:
    async with host.firing(every("slow", taking(host, 150), overlap=Overlap.QUEUE)):
        await hours(host, 3.25)
        waiting = told(host.runs())
        await hours(host, 0.5)

    assert waiting == [("schedule", "running"), ("schedule", "claimed"), ("schedule", "overlap")]
    begun = [run.started_at for run in host.runs() if run.started_at]
    assert begun == [START + HOUR, START + 3.5 * HOUR]


async def test_a_fire_replaces_the_run_before_it_and_says_so_there(host: Host) -> None:
    async with host.firing(every("slow", taking(host, 150), overlap=Overlap.REPLACE)):
        await hours(host, 2.5)

    first, second = host.runs()
    assert (first.outcome, first.error) == (Outcome.CANCELLED, f"replaced by run {second.id}")
    assert (second.outcome, second.started_at) == (Outcome.RUNNING, START + 2 * HOUR)


async def test_runs_of_a_job_that_allows_it_go_side_by_side(host: Host) -> None:
    async with host.firing(every("slow", taking(host, 150), overlap=Overlap.ALLOW)) as process:
        await hours(host, 3.25)
        active = len(process.engine.active())

    assert active == 3
    assert [run.started_at for run in host.runs()] == [START + n * HOUR for n in (1, 2, 3)]


async def test_a_trigger_waits_where_the_job_queues_and_a_second_one_is_refused(
    host: Host,
) -> None:
    async with host.firing(every("slow", taking(host, 50), overlap=Overlap.QUEUE)) as process:
        await hours(host, 1.25)
        waiting = await process.scheduler.trigger("slow", RunOptions())
        with pytest.raises(AlreadyRunning) as refusal:
            await process.scheduler.trigger("slow", RunOptions())
        await hours(host, 0.6)

    assert refusal.value.run_id == host.runs()[0].id
    run = host.tables.runs[waiting.id]
    assert (run.cause, run.started_at) == (Cause.MANUAL, START + HOUR + 50 * MINUTE)


async def test_a_waiting_run_that_is_withdrawn_does_not_begin(host: Host) -> None:
    async with host.firing(every("slow", taking(host, 50), overlap=Overlap.QUEUE)) as process:
        await hours(host, 1.25)
        waiting = await process.scheduler.trigger("slow", RunOptions())
        process.scheduler.withdraw(waiting.id)
        await hours(host, 0.7)

    assert host.tables.runs[waiting.id].outcome is Outcome.CLAIMED


async def test_all_that_was_missed_runs_in_its_order_one_after_another(host: Host) -> None:
    schedule = every("thorough", taking(host, 10), misfire=Misfire.ALL)
    async with host.firing(schedule):
        await hours(host, 0.5)
    await hours(host, 3)
    async with host.firing(schedule):
        await hours(host, 0.49)

    assert told(host.runs()) == [("catch_up", "succeeded")] * 2 + [("catch_up", "running")]
    begun = [run.started_at for run in host.runs()]
    assert begun == [START + 3.5 * HOUR + n * 10 * MINUTE for n in range(3)]


async def test_fires_that_fell_into_a_pause_are_not_caught_up_with_afterwards(host: Host) -> None:
    schedule = every("paused", succeed)
    pause = Pause(scope=PauseScope.ALL, paused_at=START, until=START + 4.5 * HOUR)
    async with host.firing(schedule):
        await hours(host, 0.5)
    await hours(host, 5)
    process = host.process(schedule)
    process.around.admission.load([pause])
    async with host.running(process):
        await hours(host, 0.1)

    assert [run.skip_reason for run in host.runs()] == [SkipReason.PAUSED] * 4 + [None]


async def test_what_failed_as_a_whole_is_repeated_twice_with_growing_waits(host: Host) -> None:
    async with host.firing(every("failing", unreachable, timedelta(days=1))):
        await hours(host, 30)

    first, second, third = host.runs()
    assert told(host.runs()) == [("schedule", "failed"), ("retry", "failed"), ("retry", "failed")]
    assert [run.attempt for run in host.runs()] == [1, 2, 3]
    assert [second.origin, third.origin] == [first.id, second.id]
    waits = [begun(run) - ended(before) for before, run in ((first, second), (second, third))]
    assert MINUTE <= waits[0] < 1.25 * MINUTE
    assert 4 * MINUTE <= waits[1] < 5 * MINUTE


async def test_what_will_not_pass_is_not_repeated(host: Host) -> None:
    async def refuse(context: RunContext) -> Ending:
        raise SuspiciousPlan("would remove everybody")

    async with host.firing(every("refusing", refuse, timedelta(days=1))):
        await hours(host, 30)

    assert told(host.runs()) == [("schedule", "failed")]


@pytest.mark.parametrize("narrowed", [{"limit": 5}, {"dry_run": True}, {"only": ("u1",)}])
async def test_a_narrowed_run_that_failed_is_not_repeated(
    host: Host, narrowed: dict[str, Any]
) -> None:
    async with host.firing(every("failing", unreachable, None)) as process:
        await process.scheduler.trigger("failing", RunOptions(**narrowed))
        await hours(host, 30)

    assert told(host.runs()) == [("manual", "failed")]


async def test_a_retry_is_dropped_when_the_next_fire_comes_first(host: Host) -> None:
    async with host.firing(every("failing", unreachable, 3 * MINUTE, retries=5)):
        await host.clock.advance(8 * 60)

    assert [run.cause for run in host.runs()] == [
        *(Cause.SCHEDULE, Cause.RETRY),
        *(Cause.SCHEDULE, Cause.RETRY),
    ]


async def test_a_retry_survives_the_death_of_the_process(host: Host) -> None:
    schedule = every("failing", unreachable, timedelta(days=1))
    async with host.firing(schedule):
        await hours(host, 24.01)
    async with host.firing(schedule):
        await hours(host, 0.05)

    assert told(host.runs()) == [("schedule", "failed"), ("retry", "failed")]


def creating(host: Host, created: int, outcome: Outcome = Outcome.SUCCEEDED) -> Working:
    """Create so many items."""

    async def work(context: RunContext) -> Ending:
        run = host.tables.runs[context.run.id]
        host.tables.put(replace(run, report=Report(created=created)))
        return Ending(outcome=outcome)

    return work


@pytest.mark.parametrize(
    ("created", "outcome", "after_created", "follows"),
    [
        (0, Outcome.SUCCEEDED, False, True),
        (0, Outcome.PARTIAL, False, True),
        (0, Outcome.FAILED, False, False),
        (0, Outcome.SUCCEEDED, True, False),
        (3, Outcome.SUCCEEDED, True, True),
    ],
)
async def test_a_job_follows_another_that_ended_well(
    host: Host, created: int, outcome: Outcome, after_created: bool, follows: bool
) -> None:
    source = every("source", creating(host, created, outcome), retries=0)
    target = every("target", succeed, None, after=("source",), after_created=after_created)
    async with host.firing(source, target):
        await hours(host, 1.01)

    (origin,) = host.runs("source")
    assert [(run.cause, run.origin) for run in host.runs("target")] == (
        [(Cause.CHAINED, origin.id)] if follows else []
    )


async def test_a_chain_waits_for_the_active_run_and_only_one_does(host: Host) -> None:
    source = every("source", succeed, 30 * MINUTE)
    target = every("target", taking(host, 100), None, after=("source",))
    async with host.firing(source, target):
        await hours(host, 2.45)

    assert told(host.runs("target")) == [
        ("chained", "succeeded"),
        ("chained", "running"),
        ("chained", "overlap"),
        ("chained", "overlap"),
    ]


@pytest.mark.parametrize("narrowed", [{"limit": 5}, {"dry_run": True}, {"only": ("u1",)}])
async def test_nothing_follows_a_narrowed_run(host: Host, narrowed: dict[str, Any]) -> None:
    source, target = every("source", succeed, None), every("target", succeed, after=("source",))
    async with host.firing(source, target) as process:
        await process.scheduler.trigger("source", RunOptions(**narrowed))
        await host.clock.advance(60)

    assert host.runs("target") == []


async def test_a_chain_that_a_crash_cut_off_is_made_up_for_once(host: Host) -> None:
    source = every("source", succeed)
    target = every("target", succeed, None, after=("source",))
    async with host.firing(source, target) as process:
        process.around.admission.pause(Pause(scope=PauseScope.JOB, key="x", paused_at=START))
        await hours(host, 1.01)
    number = host.runs("target")[0].id
    host.tables.follows.clear()
    del host.tables.runs[number]
    host.tables.last.pop("target")
    for _ in range(3):
        async with host.firing(source, target):
            await host.clock.advance(60)

    assert [run.outcome for run in host.runs("target")] == [Outcome.SUCCEEDED]


async def test_a_chain_that_is_new_does_not_follow_what_ended_before_it(host: Host) -> None:
    source = every("source", succeed)
    async with host.firing(source, every("target", succeed, None)):
        await hours(host, 1.01)
    async with host.firing(source, every("target", succeed, None, after=("source",))):
        await hours(host, 0.5)

    assert host.runs("target") == []


async def test_jobs_that_change_while_running_count_from_now(host: Host) -> None:
    kept, moved, gone = (every(name, succeed) for name in ("kept", "moved", "gone"))
    async with host.firing(kept, moved, gone) as process:
        await hours(host, 0.75)
        process.scheduler.apply([kept, replace(moved, every=10 * MINUTE), every("new", succeed)])
        await hours(host, 0.35)

    fired = {name: [run.fire_time for run in host.runs(name)] for name in process.names()}
    assert fired == {
        "kept": [START + HOUR],
        "moved": [START + n * 10 * MINUTE for n in (5, 6)],
        "new": [],
    }
    assert host.runs("gone") == []
    assert [event.job for event in host.told(JobRegistered)][3:] == ["moved", "new"]


@pytest.mark.parametrize(("catch_up", "hours_run"), [((), []), (("job",), [5])])
async def test_a_job_that_is_switched_on_catches_up_only_when_asked_to(
    host: Host, catch_up: tuple[str, ...], hours_run: list[int]
) -> None:
    on = every("job", succeed)
    off = replace(on, job=replace(on.job, enabled=False))
    async with host.firing(off) as process:
        await hours(host, 5.5)
        process.scheduler.apply([on], catch_up=catch_up)
        await host.clock.settle()

    assert [run.fire_time for run in host.ran()] == [START + n * HOUR for n in hours_run]


async def test_what_waits_in_a_job_that_is_switched_off_is_ended(host: Host) -> None:
    on = every("slow", taking(host, 150), overlap=Overlap.QUEUE)
    async with host.firing(on) as process:
        await hours(host, 2.5)
        process.scheduler.apply([replace(on, job=replace(on.job, enabled=False))])
        await hours(host, 2)

    assert [(run.outcome, run.error) for run in host.runs()] == [
        (Outcome.SUCCEEDED, ""),
        (Outcome.ABANDONED, "its job is off"),
    ]


async def test_a_scheduler_that_was_stopped_starts_nothing_and_can_be_run_again(
    host: Host,
) -> None:
    async with host.firing(every("slow", taking(host, 90), overlap=Overlap.QUEUE)) as process:
        await hours(host, 2.25)
        await process.stop()
        await hours(host, 1)
        stopped = told(host.runs())
        process.go()
        await hours(host, 0.1)

    assert stopped == [("schedule", "succeeded"), ("schedule", "claimed")]
    assert told(host.runs()) == [
        ("schedule", "succeeded"),
        ("schedule", "running"),
        ("catch_up", "claimed"),
    ]


def begun(run: Run) -> datetime:
    assert run.started_at is not None
    return run.started_at


def ended(run: Run) -> datetime:
    assert run.finished_at is not None
    return run.finished_at
