"""The scheduler over a real store in virtual time: every fire once, on time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from fakes.clock import FakeClock
from fakes.running import JOB, Running, profile_of, running, to_job
from fakes.scheduling import (
    AT,
    HOUR,
    NOON,
    ended,
    fired,
    firing,
    hourly,
    rows,
    started,
    until_true,
)

from syncd.errors import AlreadyRunning, NotKnown
from syncd.model.account import Account
from syncd.model.pause import Pause, PauseScope
from syncd.model.profile import Fetched
from syncd.model.run import Cause, Outcome, Run, RunOptions, SkipReason
from syncd.store.database import Database
from syncd.telemetry.events import FireSkipped, JobRegistered


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(AT)


@pytest.fixture
async def world(database: Database, clock: FakeClock) -> AsyncIterator[Running]:
    async with running(database, clock) as world:
        yield world


async def test_a_job_fires_at_its_time_and_the_run_is_done(
    world: Running, clock: FakeClock
) -> None:
    await world.link(3)
    async with firing(world, hourly()):
        await clock.advance(59)
        before = await rows(world)
        await clock.advance(1)

        runs = await ended(world, 1)

    assert before == []
    assert [(run.fire_time, run.cause, run.outcome) for run in runs] == [
        (NOON, Cause.SCHEDULE, Outcome.SUCCEEDED)
    ]
    assert runs[0].report.created == 3


async def test_two_schedulers_on_one_database_run_every_fire_once(
    world: Running, database: Database, clock: FakeClock
) -> None:
    async with (
        running(database, clock, holder="two") as other,
        firing(world, hourly()),
        firing(other, hourly()),
    ):
        for hour in range(1, 6):
            await clock.advance(3600)
            await ended(world, hour)

        runs = await rows(world)

    assert [run.fire_time for run in runs] == [NOON + n * HOUR for n in range(5)]
    assert {run.outcome for run in runs} == {Outcome.SUCCEEDED}


async def test_a_fire_during_a_run_is_written_down_as_overlap(
    world: Running, clock: FakeClock
) -> None:
    await world.link(1)
    reached, go_on = asyncio.Event(), asyncio.Event()

    async def answer(account: Account) -> Fetched:
        reached.set()
        await go_on.wait()
        return profile_of(account)

    world.platform.answering = answer
    job = to_job(timeout=timedelta(days=1))
    async with firing(world, hourly(job)):
        await clock.advance(60)
        await reached.wait()
        await clock.advance(3600)
        await ended(world, 1)
        go_on.set()

        runs = await ended(world, 2)

    assert [(run.fire_time, run.outcome, run.skip_reason) for run in runs] == [
        (NOON, Outcome.SUCCEEDED, None),
        (NOON + HOUR, Outcome.SKIPPED, SkipReason.OVERLAP),
    ]
    assert [event.reason for event in world.told(FireSkipped)] == ["overlap"]


async def test_a_fire_of_a_paused_job_is_written_down_as_paused(
    world: Running, clock: FakeClock
) -> None:
    world.around.admission.pause(Pause(scope=PauseScope.JOB, key=JOB, paused_at=AT))
    async with firing(world, hourly()):
        await clock.advance(60)

        runs = await ended(world, 1)

    assert [(run.outcome, run.skip_reason) for run in runs] == [
        (Outcome.SKIPPED, SkipReason.PAUSED)
    ]


async def test_a_job_that_runs_on_start_runs_once_at_the_start(
    world: Running, clock: FakeClock
) -> None:
    async with firing(world, hourly(to_job(run_on_start=True))):
        await clock.advance(30)
        runs = await ended(world, 1)

    assert [run.cause for run in runs] == [Cause.MANUAL]


async def test_without_firing_nothing_starts_by_itself(world: Running, clock: FakeClock) -> None:
    await fired(world, NOON - 5 * HOUR)
    schedule = hourly(to_job(run_on_start=True))
    async with firing(world, schedule, is_firing=False) as scheduler:
        await clock.advance(7200)
        next_fire = scheduler.next_fire(JOB)

    assert next_fire is None
    assert len(await rows(world)) == 1


async def test_a_job_that_is_off_is_registered_and_never_fires(
    world: Running, clock: FakeClock
) -> None:
    async with firing(world, hourly(to_job(enabled=False))):
        await clock.advance(7200)

    assert await rows(world) == []
    assert [event.enabled for event in world.told(JobRegistered)] == [False]


async def test_a_job_that_runs_is_not_triggered_again_even_by_two_at_once(
    world: Running,
) -> None:
    await world.link(1)
    go_on = asyncio.Event()

    async def answer(account: Account) -> Fetched:
        await go_on.wait()
        return profile_of(account)

    world.platform.answering = answer
    async with firing(world, hourly()) as scheduler:
        tries = await asyncio.gather(
            *(scheduler.trigger(JOB, RunOptions()) for _ in range(5)), return_exceptions=True
        )
        go_on.set()
        await ended(world, 1)

    started = [each for each in tries if isinstance(each, Run)]
    refused = [each for each in tries if isinstance(each, AlreadyRunning)]
    assert (len(started), len(refused)) == (1, 4)
    assert {each.run_id for each in refused} == {started[0].id}


async def test_a_run_about_one_user_goes_beside_the_job(world: Running) -> None:
    await world.link(2)
    go_on = asyncio.Event()

    async def answer(account: Account) -> Fetched:
        if world.platform.asked.total() < 3:
            await go_on.wait()
        return profile_of(account)

    world.platform.answering = answer
    await world.link(1, first=2)
    async with firing(world, hourly()) as scheduler:
        await scheduler.trigger(JOB, RunOptions(only=("u0000", "u0001")), is_beside=True)
        await until_true(lambda: world.platform.under_way == 2, "both to be asked for")
        everybody = await scheduler.trigger(JOB, RunOptions())
        await world.end_of(everybody.id)
        go_on.set()
        runs = await ended(world, 2)

    assert [run.report.seen for run in runs] == [2, 1]
    assert set(world.platform.asked.values()) == {1}


async def test_an_unknown_job_is_one_sentence_with_what_was_perhaps_meant(
    world: Running,
) -> None:
    with pytest.raises(NotKnown, match="there is no job 'sink'") as refusal:
        await world.scheduler(hourly()).trigger("sink", RunOptions())

    assert "sync" in f"{refusal.value} {refusal.value.hint}"


async def test_a_run_stops_before_its_next_fire_and_that_fire_is_not_skipped(
    world: Running, clock: FakeClock
) -> None:
    await world.link(40)

    async def slow(account: Account) -> Fetched:
        await clock.sleep(1200)
        return profile_of(account)

    world.platform.answering = slow
    second = timedelta(seconds=1)
    async with firing(world, hourly()):
        await clock.advance(60)
        await until_true(lambda: world.platform.under_way == 10, "ten to be asked for")
        await clock.advance(3595)
        await clock.advance(4)
        first = (await ended(world, 1))[0]
        world.platform.answering = world.platform.agree
        await clock.advance(1)
        runs = await ended(world, 2)

    assert (first.outcome, first.finished_at) == (Outcome.PARTIAL, NOON + HOUR - second)
    assert "deadline" in first.error
    assert [(run.fire_time, run.skip_reason) for run in runs] == [
        (NOON, None),
        (NOON + HOUR, None),
    ]


async def test_a_wall_clock_that_is_set_back_fires_nothing_twice(
    world: Running, clock: FakeClock
) -> None:
    async with firing(world, hourly()):
        await clock.advance(60)
        await ended(world, 1)
        clock.jump_wall(-HOUR)
        await clock.advance(3600)
        await world.value("SELECT 1")
        await clock.advance(3600)

        runs = await ended(world, 2)

    assert [run.fire_time for run in runs] == [NOON, NOON + HOUR]


async def test_a_wall_clock_that_jumps_ahead_runs_the_latest_fire_once(
    world: Running, clock: FakeClock
) -> None:
    async with firing(world, hourly()):
        clock.jump_wall(5 * HOUR)
        await clock.advance(90)

        ran = await started(world, 1)
        runs = await rows(world)

    assert [run.fire_time for run in ran] == [NOON + 5 * HOUR]
    assert [run.skip_reason for run in runs[:-1]] == [SkipReason.COALESCED] * 5


class Slow:
    """The ledger of a database that takes its time to note a run."""

    def __init__(self, real: Any) -> None:
        self._real = real
        self.asked, self.answers = asyncio.Event(), asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    async def create(self, run: Run) -> Any:
        self.asked.set()
        await self.answers.wait()
        return await self._real.create(run)


async def test_what_the_database_notes_after_the_end_has_begun_is_left_for_the_next_start(
    world: Running,
) -> None:
    ledger: Any = Slow(world.runs)
    world.around = replace(world.around, stores=replace(world.around.stores, runs=ledger))
    scheduler = world.scheduler(hourly())
    trigger = asyncio.create_task(scheduler.trigger(JOB, RunOptions()))
    await ledger.asked.wait()
    closing = asyncio.create_task(scheduler.close())
    await asyncio.sleep(0)
    ledger.answers.set()
    await closing
    run = await trigger

    assert world.engine.active() == []
    (row,) = await rows(world)
    assert (row.id, row.outcome) == (run.id, Outcome.CLAIMED)
