"""syncd's own scheduler, from the bare decision to a whole run over PostgreSQL.

    syncd-starts    the scheduler over a ledger in memory, and an engine that only starts the body
    syncd-runs      the same with whole runs: begun, watched, ended, told on the bus
    syncd-told      the same with the log lines and the counters of the daemon
    syncd-postgres  the same over PostgreSQL; its address is in the environment

What the ledger's methods and the subscribers cost is measured apart.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import os
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Generator, Iterator
from contextlib import AbstractAsyncContextManager
from time import thread_time, time
from typing import Any, ClassVar, cast

from fakes.memory_ledger import MemoryLedger, Tables
from pydantic import BaseModel
from schedule_peers import Ready, Task, Way

from syncd.clock import SystemClock
from syncd.engine.base import Engine
from syncd.engine.local import LocalEngine
from syncd.jobs.admission import Admission
from syncd.jobs.base import JobKind, RunContext, Stores, Surroundings
from syncd.model.address import PostgresAddress
from syncd.model.run import Ending, Outcome, Run
from syncd.runs.job import Job
from syncd.runs.runner import Order, Runner
from syncd.schedule.cron import parse_cron
from syncd.schedule.loop import Scheduler
from syncd.schedule.roster import Schedule
from syncd.store.database import Database, DatabaseSettings
from syncd.store.migrate import migrate
from syncd.store.runs import RunStore
from syncd.telemetry.bus import Bus
from syncd.telemetry.event_log import EventLog
from syncd.telemetry.events import Event
from syncd.telemetry.logs import LogSettings, configure_logs
from syncd.telemetry.metrics import Metrics
from syncd.telemetry.purpose import Purpose

ADDRESS = "SYNCD_BENCH_POSTGRES"
DONE = Ending(outcome=Outcome.SUCCEEDED)


class Apart:
    """Knows the CPU seconds of parts of the work, by name, and when the last of them ended."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def add(self, name: str, seconds: float) -> None:
        self.seconds[name] = self.seconds.get(name, 0.0) + seconds

    def told(self) -> dict[str, float]:
        return dict(self.seconds)


class Measured:
    """A call of a ledger: the CPU of its steps, and how long all of it took by the clock."""

    def __init__(self, call: Any, name: str, apart: Apart) -> None:
        self._steps = call.__await__()
        self._name = name
        self._apart = apart

    def __await__(self) -> Generator[Any, Any, Any]:
        value: Any = None
        asked = time()
        while True:
            begun = thread_time()
            try:
                waits = self._steps.send(value)
            except StopIteration as end:
                now = self._apart.seconds["at last"] = time()
                self._apart.add(f"{self._name} (clock)", now - asked)
                return end.value
            finally:
                self._apart.add(self._name, thread_time() - begun)
            value = yield waits


class MeasuredLedger:
    """A ledger whose every call is measured."""

    def __init__(self, real: Any, apart: Apart) -> None:
        self._real = real
        self._apart = apart

    def __getattr__(self, name: str) -> Any:
        ask = getattr(self._real, name)
        if not asyncio.iscoroutinefunction(ask):
            return ask

        def call(*values: Any, **named: Any) -> Measured:
            return Measured(ask(*values, **named), f"ledger.{name}", self._apart)

        setattr(self, name, call)
        return call


class NoOptions(BaseModel):
    pass


class Body(JobKind[NoOptions]):
    """Does nothing but tell that it ran."""

    Options: ClassVar[type[BaseModel]] = NoOptions

    def __init__(self, name: str, ran: Callable[[], object]) -> None:
        super().__init__(name, NoOptions())
        self._ran = ran

    @property
    def purpose(self) -> Purpose:
        return Purpose.PROFILE_UPDATE

    async def run(self, context: RunContext) -> Ending:
        self._ran()
        return DONE


class Starter(Engine):
    """Starts a coroutine for every run, which is its body and nothing else."""

    def __init__(self, ran: Callable[[], object]) -> None:
        self._ran = ran
        self._loop = asyncio.get_running_loop()
        self._running: dict[str, asyncio.Task[None]] = {}

    def start(self, order: Order) -> None:
        self._running[order.run.job] = self._loop.create_task(self._job(order))

    async def _job(self, order: Order) -> None:
        self._ran()
        del self._running[order.run.job]

    def active_of(self, job: str) -> Collection[Order]:
        assert job not in self._running
        return []

    def active(self) -> Collection[Order]:
        return []

    def on_end(self, listener: Callable[[Run], None]) -> None:
        pass

    def cancel(self, run_id: int, why: str = "") -> bool:
        return False

    async def drain(self, seconds: float) -> None:
        pass

    def hurry(self) -> None:
        pass


def schedules(task: Task) -> Iterator[Schedule]:
    for number in range(task.jobs):
        name = f"job-{number}"
        cron = parse_cron(task.cron, "UTC", name)
        yield Schedule(job=Job(name=name, kind="bench", work=Body(name, task.ran)), cron=cron)


@contextlib.contextmanager
def telling(bus: Bus, task: Task, apart: Apart) -> Iterator[None]:
    """Write the daemon's log lines and count what it counts, and measure that."""
    subscribers: list[tuple[str, Callable[[Event], None]]] = []

    def tell(event: Event) -> None:
        for name, subscriber in subscribers:
            begun = thread_time()
            subscriber(event)
            apart.add(name, thread_time() - begun)

    with tempfile.TemporaryFile() as output:
        logs = configure_logs(LogSettings(), SystemClock(), output=output.fileno())
        metrics = Metrics("bench", [f"job-{number}" for number in range(task.jobs)], [])
        subscribers += [("log", EventLog(logs)), ("metrics", metrics.note)]
        with logs, bus.subscribed(tell):
            yield


@contextlib.contextmanager
def all_well(engine: Engine, task: Task) -> Iterator[None]:
    """See to it that all runs ended well, where any had to."""
    outcomes: Counter[Outcome] = Counter()
    engine.on_end(lambda run: outcomes.update([run.outcome]))
    yield
    assert set(outcomes) <= {Outcome.SUCCEEDED}, outcomes
    assert outcomes.total() in {0, task.jobs}, outcomes


@contextlib.asynccontextmanager
async def scheduling(task: Task, ledger: Any, *, whole: bool, told: bool) -> AsyncIterator[Ready]:
    apart, bus, clock = Apart(), Bus(), SystemClock()
    runs = cast("RunStore", MeasuredLedger(ledger, apart))
    rest = cast("Any", None)
    names = {field.name for field in dataclasses.fields(Stores)} - {"runs"}
    stores = Stores(runs=runs, **dict.fromkeys(names, rest))
    admission = Admission(clock)
    around = Surroundings(
        clock=clock, bus=bus, stores=stores, platforms={}, admission=admission, grants=rest
    )
    async with contextlib.AsyncExitStack() as stack:
        if told:
            stack.enter_context(telling(bus, task, apart))
        engine: Engine = Starter(task.ran)
        if whole:
            engine = await stack.enter_async_context(LocalEngine(Runner(around)))
            stack.enter_context(all_well(engine, task))
        scheduler = Scheduler(list(schedules(task)), engine, around)
        group = await stack.enter_async_context(asyncio.TaskGroup())
        firing = group.create_task(scheduler.run())
        stack.callback(firing.cancel)
        await asyncio.sleep(0)
        yield Ready(apart.told)


@contextlib.asynccontextmanager
async def over_postgres(task: Task) -> AsyncIterator[Ready]:
    address = PostgresAddress(**json.loads(os.environ[ADDRESS]))
    settings = DatabaseSettings(address=address, schema=f"bench_{os.getpid()}")
    async with Database(settings, SystemClock()) as base:
        await migrate(base)
        async with scheduling(task, RunStore(base, "bench"), whole=True, told=True) as ready:
            yield ready


def in_memory(*, whole: bool, told: bool) -> Way:
    def way(task: Task) -> AbstractAsyncContextManager[Ready]:
        return scheduling(task, MemoryLedger(Tables(), "bench"), whole=whole, told=told)

    return way


SYNCD: dict[str, Way] = {
    "syncd-starts": in_memory(whole=False, told=False),
    "syncd-runs": in_memory(whole=True, told=False),
    "syncd-told": in_memory(whole=True, told=True),
    "syncd-postgres": over_postgres,
}
