"""A scheduler in virtual time over a real store, one minute before noon."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from fakes.clock import FakeClock
from fakes.running import JOB, Running, claim_fire, fire_at, to_job
from fakes.waiting import until

from syncd.errors import StoreUnavailable
from syncd.model.run import Ending, Outcome, Run
from syncd.model.schedule import Registered
from syncd.runs.job import Job
from syncd.schedule.cron import parse_cron
from syncd.schedule.loop import Scheduler
from syncd.schedule.roster import Schedule
from syncd.telemetry.events import JobRegistered

AT = datetime(2026, 3, 1, 11, 59, tzinfo=UTC)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def hourly(job: Job | None = None) -> Schedule:
    return Schedule(job=job or to_job(), cron=parse_cron("0 * * * *", "UTC", JOB))


@contextlib.asynccontextmanager
async def firing(
    world: Running, *schedules: Schedule, is_firing: bool = True
) -> AsyncIterator[Scheduler]:
    """Let a scheduler run as long as the context lasts; it is prepared when this begins."""
    scheduler = world.scheduler(*schedules, is_firing=is_firing)
    known = len(world.told(JobRegistered)) + len(schedules)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(scheduler.run())
        await until_true(lambda: len(world.told(JobRegistered)) == known, "the preparation")
        yield scheduler
        task.cancel()


async def until_true(ask: Callable[[], bool], what: str) -> None:
    async def answer() -> bool:
        return ask()

    await until(answer, what=what)


async def rows(world: Running) -> list[Run]:
    return (await world.runs.list_newest(None, None, 10_000))[::-1]


async def ended(world: Running, count: int) -> list[Run]:
    """Return all runs once so many are final."""

    async def ask() -> list[Run]:
        found = await rows(world)
        return found if sum(run.outcome.is_final for run in found) >= count else []

    return await until(ask, what=f"{count} runs to end")


async def started(world: Running, count: int) -> list[Run]:
    """Return the runs that were not skipped, once so many of them have ended."""

    async def ask() -> list[Run]:
        found = [run for run in await rows(world) if run.skip_reason is None]
        return found if sum(run.outcome.is_final for run in found) >= count else []

    return await until(ask, what=f"{count} runs to have run")


async def ended_in_time(world: Running, clock: FakeClock, count: int) -> list[Run]:
    """Let minutes pass until so many runs are final; return all of them."""

    async def ask() -> list[Run]:
        found = await rows(world)
        if sum(run.outcome.is_final for run in found) >= count:
            return found
        await clock.advance(60)
        return []

    return await until(ask, what=f"{count} runs to end")


async def fired(world: Running, at: datetime) -> None:
    """Let a fire of the hourly job have been run and ended."""
    await world.runs.settle([Registered(job=JOB, schedule=hourly().times, enabled=True)], at)
    number = await claim_fire(world.runs, fire_at(at))
    assert number is not None
    await world.runs.begin(number, at)
    await world.runs.finish(number, Ending(outcome=Outcome.SUCCEEDED), at)


class Flaky:
    """The ledger as it looks while PostgreSQL does not answer some of the questions."""

    def __init__(self, real: Any) -> None:
        self._real = real
        self.broken: set[str] = set()
        self.loses_reply: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        async def ask(*values: Any, **named: Any) -> Any:
            if name in self.broken:
                raise StoreUnavailable("no answer in time")
            answer = await getattr(self._real, name)(*values, **named)
            if name in self.loses_reply:
                self.loses_reply.discard(name)
                raise StoreUnavailable("the reply was lost")
            return answer

        return ask


def flaky(world: Running) -> Flaky:
    ledger = Flaky(world.runs)
    stores = replace(world.around.stores, runs=ledger)  # type: ignore[arg-type]
    world.around = replace(world.around, stores=stores)
    return ledger
