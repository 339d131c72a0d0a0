"""The runner: whatever a run does, its row says how it ended, and nobody else is hurt."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta

import pytest
from fakes.clock import FakeClock
from fakes.running import Running, draft, running, to_job
from fakes.scheduling import until_true
from fakes.scripted_job import DONE, Scripted, execute
from fakes.waiting import until

from syncd.errors import LeaseLost, RunError
from syncd.jobs.base import RunContext
from syncd.jobs.stop import Stop, StopReason
from syncd.model.run import Ending, Outcome, Report, Run, RunId
from syncd.runs.runner import Order, Runner
from syncd.store.database import Database
from syncd.telemetry.events import RunCrashed, RunFinished, RunStarted


@pytest.fixture
async def world(database: Database) -> AsyncIterator[Running]:
    async with running(database, FakeClock()) as world:
        yield world


async def counted(context: RunContext, report: Report) -> None:
    """Commit counts, as a batch does."""
    async with context.around.stores.database.transaction() as connection:
        await context.around.stores.runs.add_report(
            connection, context.run.id, report, context.around.clock.now()
        )


@pytest.mark.parametrize(
    ("outcome", "report", "told"),
    [
        (Outcome.SUCCEEDED, Report(created=2), Outcome.SUCCEEDED),
        (Outcome.SUCCEEDED, Report(created=2, failed=1, failures={"x": 1}), Outcome.PARTIAL),
        (Outcome.FAILED, Report(), Outcome.FAILED),
        (Outcome.FAILED, Report(unchanged=1), Outcome.PARTIAL),
        (Outcome.HELD, Report(created=1), Outcome.HELD),
    ],
)
async def test_the_end_of_a_run_tells_what_its_kind_says_and_its_counts(
    world: Running, outcome: Outcome, report: Report, told: Outcome
) -> None:
    async def work(context: RunContext) -> Ending:
        await counted(context, report)
        return Ending(outcome=outcome)

    run = await execute(world, work)

    assert run is not None
    assert (run.outcome, run.report) == (told, report)
    assert run.finished_at == world.clock.now()
    assert [type(event) for event in world.events] == [RunStarted, RunFinished]


async def test_an_error_of_ours_fails_the_run_with_its_sentence_and_hint(world: Running) -> None:
    async def work(context: RunContext) -> Ending:
        raise RunError("61 accounts are too many", hint="set credentials")

    run = await execute(world, work)

    assert run is not None
    assert (run.outcome, run.error, run.hint) == (
        Outcome.FAILED,
        "61 accounts are too many",
        "set credentials",
    )


async def test_an_error_nobody_foresaw_fails_the_run_and_tells_its_stack(world: Running) -> None:
    async def work(context: RunContext) -> Ending:
        raise ZeroDivisionError

    run = await execute(world, work)

    assert run is not None
    assert (run.outcome, run.error) == (
        Outcome.FAILED,
        "unforeseen ZeroDivisionError in job sync",
    )
    assert "raise ZeroDivisionError" in world.told(RunCrashed)[0].stack


@pytest.mark.parametrize(
    ("reason", "outcome"),
    [
        (StopReason.CANCEL, Outcome.CANCELLED),
        (StopReason.DRAIN, Outcome.INTERRUPTED),
        (StopReason.DEADLINE, Outcome.PARTIAL),
    ],
)
async def test_the_reason_for_a_stop_decides_the_outcome(
    world: Running, reason: StopReason, outcome: Outcome
) -> None:
    stop = Stop()

    async def work(context: RunContext) -> Ending:
        stop.request(reason, 1)
        return DONE

    run = await execute(world, work, stop=stop)

    assert run is not None
    assert run.outcome is outcome
    assert (run.finished_at is None) is (outcome is Outcome.INTERRUPTED)


async def test_a_run_is_asked_to_end_at_its_deadline(world: Running) -> None:
    async def work(context: RunContext) -> Ending:
        await context.stop.wait()
        return DONE

    begun = world.clock.now()
    run = await execute(world, work, deadline=lambda _: world.clock.monotonic() + 420)

    assert run is not None
    assert (run.outcome, run.finished_at) == (Outcome.PARTIAL, begun + timedelta(minutes=7))
    assert "deadline" in run.error


@pytest.mark.parametrize("hours", [-3, 2, 90_000])
async def test_a_clock_that_jumps_neither_ends_a_run_nor_prolongs_it(
    world: Running, hours: int
) -> None:
    clock = world.clock
    assert isinstance(clock, FakeClock)
    stops: list[Stop] = []

    async def work(context: RunContext) -> Ending:
        stops.append(context.stop)
        await context.stop.wait()
        return DONE

    number = await world.start(Scripted(work), deadline=clock.monotonic() + 420)
    await until_true(lambda: bool(stops), "the run to be at work")
    await clock.advance(60)
    clock.jump_wall(timedelta(hours=hours))
    await clock.advance(359)
    assert not stops[0].is_requested
    await clock.advance(1)
    run = await world.end_of(number)

    assert stops[0].reason is StopReason.DEADLINE
    assert run.outcome is Outcome.PARTIAL


async def test_a_run_that_was_taken_away_writes_nothing_more(
    world: Running, database: Database
) -> None:
    async def work(context: RunContext) -> Ending:
        async with running(database, world.clock, holder="two") as other:
            await other.runs.recover()
            await other.runs.begin(context.run.id, world.clock.now())
        raise LeaseLost("run was taken over")

    ended = await execute(world, work)

    run = (await world.runs.list_newest(None, None, 1))[0]
    assert ended is None
    assert (run.outcome, run.error) == (Outcome.RUNNING, "")
    assert [type(event) for event in world.events] == [RunStarted]


async def test_a_run_that_somebody_else_runs_is_not_begun(
    world: Running, database: Database
) -> None:
    number = await world.start_nothing()
    async with running(database, world.clock, holder="two") as other:
        await other.runs.begin(number, world.clock.now())
    run = await world.runs.read(number)
    assert run is not None
    asked: list[RunContext] = []

    async def work(context: RunContext) -> Ending:
        asked.append(context)
        return DONE

    order = Order(run=run, job=to_job(Scripted(work)), stop=Stop())

    assert await Runner(world.around).execute(order) is None
    assert asked == []


async def test_a_run_is_started_once_however_often_it_is_asked_for(world: Running) -> None:
    go_on = asyncio.Event()
    begun = 0

    async def work(context: RunContext) -> Ending:
        nonlocal begun
        begun += 1
        await go_on.wait()
        return DONE

    number = await world.start_nothing()
    run = await world.runs.read(number)
    assert run is not None
    for _ in range(3):
        world.engine.start(Order(run=run, job=to_job(Scripted(work)), stop=Stop()))
    active = len(world.engine.active())
    go_on.set()

    await world.end_of(number)

    assert (active, begun) == (1, 1)


async def test_a_drain_that_takes_too_long_leaves_the_run_for_the_next_start(
    world: Running,
) -> None:
    async def work(context: RunContext) -> Ending:
        await asyncio.Event().wait()
        return DONE

    number = await started(world, work)

    await world.engine.drain(0.05)
    row = await world.runs.read(number)
    left = await recovered_by_another(world)

    assert row is not None
    assert (row.outcome, row.attempt) == (Outcome.INTERRUPTED, 1)
    assert [run.id for run in left] == [number]


async def test_a_hurried_drain_cancels_at_once(world: Running) -> None:
    async def work(context: RunContext) -> Ending:
        await asyncio.Event().wait()
        return DONE

    number = await started(world, work)

    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        group.create_task(world.engine.drain(3_600))
        await asyncio.sleep(0)
        world.engine.hurry()
    row = await world.runs.read(number)

    assert row is not None
    assert row.outcome is Outcome.INTERRUPTED


async def started(world: Running, work: Callable[[RunContext], Awaitable[Ending]]) -> RunId:
    number = await world.runs.create(draft(world.clock))
    run = await world.runs.read(number)
    assert run is not None
    world.engine.start(Order(run=run, job=to_job(Scripted(work)), stop=Stop()))

    async def is_running() -> bool:
        found = await world.runs.read(number)
        return found is not None and found.outcome is Outcome.RUNNING

    await until(is_running, what="the run to begin")
    return number


async def recovered_by_another(world: Running) -> list[Run]:
    async with running(world.database, world.clock, holder="two") as other:
        return list(await other.runs.recover())
