"""The runner while PostgreSQL does not answer, or swallows a reply: begun once, ended once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from fakes.clock import FakeClock
from fakes.running import Running, running, to_job
from fakes.scripted_job import DONE, Ledger, Scripted, behind, execute, succeed

from syncd.errors import StoreUnavailable
from syncd.jobs.base import RunContext
from syncd.jobs.stop import Stop, StopReason
from syncd.model.run import Ending, Outcome
from syncd.runs.runner import Order, Runner
from syncd.store.database import Database
from syncd.telemetry.events import RunCrashed, RunFinished


@pytest.fixture
async def world(database: Database) -> AsyncIterator[Running]:
    async with running(database, FakeClock()) as world:
        yield world


@pytest.mark.parametrize("step", ["begin", "cycle_start", "read", "finish"])
async def test_a_step_that_finds_the_store_down_is_taken_when_it_is_back(
    world: Running, step: str
) -> None:
    behind(world, silent={step: 5})

    run = await execute(world, succeed)

    assert run is not None
    assert run.outcome is Outcome.SUCCEEDED


@pytest.mark.parametrize("step", ["begin", "finish"])
async def test_a_step_whose_reply_is_lost_is_taken_once(world: Running, step: str) -> None:
    behind(world, loses={step})

    run = await execute(world, succeed)

    assert run is not None
    assert (run.outcome, run.resumed) == (Outcome.SUCCEEDED, 0)
    assert len(world.told(RunFinished)) == 1


async def test_a_drained_run_whose_reply_is_lost_is_interrupted_once(world: Running) -> None:
    stop = Stop()
    behind(world, loses={"interrupt"})

    async def work(context: RunContext) -> Ending:
        stop.request(StopReason.DRAIN, 1)
        return DONE

    run = await execute(world, work, stop=stop)

    assert run is not None
    assert run.outcome is Outcome.INTERRUPTED


async def test_a_run_that_waits_for_the_store_ends_when_it_is_cancelled(world: Running) -> None:
    stop = Stop()
    tries = 0

    async def work(context: RunContext) -> Ending:
        nonlocal tries
        tries += 1
        if tries == 3:
            stop.request(StopReason.CANCEL, 1)
        raise StoreUnavailable("no answer in time")

    run = await execute(world, work, stop=stop)

    assert run is not None
    assert (run.outcome, tries) == (Outcome.CANCELLED, 3)


async def test_a_bug_on_the_way_out_ends_neither_the_engine_nor_another_run(
    world: Running,
) -> None:
    behind(world)

    class Broken(Ledger):
        def __getattr__(self, name: str) -> Any:
            if name == "finish":
                raise ZeroDivisionError
            return super().__getattr__(name)

    healthy = world.around
    ledger = Broken(world.runs, silent={}, loses=set())
    broken = replace(healthy, stores=replace(healthy.stores, runs=ledger))  # type: ignore[arg-type]
    numbers = [await world.start_nothing() for _ in range(2)]
    runs = [await world.runs.read(number) for number in numbers]
    orders = [Order(run=run, job=to_job(Scripted(succeed)), stop=Stop()) for run in runs if run]

    first = await Runner(broken).execute(orders[0])
    world.engine.start(orders[1])

    second = await world.end_of(numbers[1])
    assert first is None
    assert second.outcome is Outcome.SUCCEEDED
    assert [event.run_id for event in world.told(RunCrashed)] == [numbers[0]]
