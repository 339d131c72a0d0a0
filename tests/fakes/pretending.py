"""Processes that fire in virtual time over a ledger in memory, with real engines and runners."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any, cast

from fakes.clock import FakeClock
from fakes.memory_ledger import MemoryLedger, Tables
from fakes.scheduling import Flaky
from fakes.scripted_job import Scripted

from syncd.engine.local import LocalEngine
from syncd.jobs.admission import Admission
from syncd.jobs.base import RunContext, Stores, Surroundings
from syncd.model.run import Ending, Run
from syncd.runs.job import Job
from syncd.runs.runner import Runner
from syncd.schedule.loop import Scheduler
from syncd.schedule.roster import Schedule
from syncd.telemetry.bus import Bus
from syncd.telemetry.events import Event

Working = Callable[[RunContext], Awaitable[Ending]]
HOUR = timedelta(hours=1)


class Host:
    """A machine with a clock and a ledger; syncd may run there, die there and run again."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.tables = Tables()
        self.events: list[Event] = []
        self.processes = 0

    def told(self, kind: type[Event]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    def runs(self, job: str | None = None) -> list[Run]:
        return [run for run in self.tables.runs.values() if job in {None, run.job}]

    def ran(self, job: str | None = None) -> list[Run]:
        return [run for run in self.runs(job) if run.skip_reason is None]

    def process(self, *schedules: Schedule) -> Process:
        self.processes += 1
        return Process(self, f"process {self.processes}", schedules)

    @contextlib.asynccontextmanager
    async def firing(self, *schedules: Schedule) -> AsyncIterator[Process]:
        """Run a process as long as the context lasts; leaving it is the process's sudden death."""
        async with self.running(self.process(*schedules)) as process:
            yield process

    @contextlib.asynccontextmanager
    async def running(self, process: Process) -> AsyncIterator[Process]:
        with process.around.bus.subscribed(self.events.append):
            async with process.engine:
                process.go()
                await self.clock.settle()
                try:
                    yield process
                finally:
                    await process.stop()
                    process.ledger.cut()


class Process:
    """One process over the host's ledger."""

    def __init__(self, host: Host, holder: str, schedules: tuple[Schedule, ...]) -> None:
        nothing = cast("Any", None)
        self.ledger = MemoryLedger(host.tables, holder)
        self.flaky = Flaky(self.ledger)
        self.around = Surroundings(
            clock=host.clock,
            bus=Bus(),
            stores=Stores(
                database=nothing,
                runs=cast("Any", self.flaky),
                accounts=nothing,
                sync=nothing,
                mirror=nothing,
                scores=nothing,
                leaderboards=nothing,
                plans=nothing,
                grants=nothing,
                listening=nothing,
                contests=nothing,
                cleanup=nothing,
                notifications=nothing,
            ),
            platforms={},
            admission=Admission(host.clock),
            grants=nothing,
        )
        self.engine = LocalEngine(Runner(self.around))
        self.scheduler = Scheduler(schedules, self.engine, self.around)
        self._firing: asyncio.Task[None] | None = None

    def names(self) -> Sequence[str]:
        return self.scheduler.names()

    @property
    def is_dead(self) -> bool:
        """Whether the scheduler ended by itself."""
        return self._firing is not None and self._firing.done()

    def go(self) -> None:
        """Let the scheduler fire."""
        self._firing = asyncio.ensure_future(self.scheduler.run())

    async def stop(self) -> None:
        """Let it fire no more; what it started goes on."""
        assert self._firing is not None
        self._firing.cancel()
        await asyncio.gather(self._firing, return_exceptions=True)


def every(name: str, work: Working, interval: timedelta | None = HOUR, **changes: Any) -> Schedule:
    """A job that fires every so often, counted from when it is first seen; None: never."""
    job = Job(name=name, kind="scripted", work=Scripted(work), timeout=timedelta(days=30))
    return Schedule(job=job, every=interval, **changes)
