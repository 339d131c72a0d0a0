"""A long time in a scheduler's life, told to it and to the model alike: nothing may differ."""

from __future__ import annotations

import asyncio
import contextlib
import heapq
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from fakes.clock import FakeClock
from fakes.schedule_model import CANCEL_SECONDS, Model, Told, seconds
from fakes.scripted_job import Scripted

from syncd.engine.base import Engine
from syncd.jobs.admission import Admission
from syncd.jobs.base import RunContext, Surroundings
from syncd.jobs.stop import StopReason
from syncd.model.pause import Pause, PauseScope
from syncd.model.run import Ending, Outcome, Run
from syncd.model.schedule import Misfire, Overlap
from syncd.runs.job import Job
from syncd.schedule.cron import parse_cron
from syncd.schedule.jitter import share
from syncd.schedule.loop import Scheduler
from syncd.schedule.roster import Schedule
from syncd.schedule.timetable import Every, Manual

BEGIN = datetime(2026, 1, 1, 0, 0, 0, 137_911, tzinfo=UTC)
DAY = 86_400.0
_NAP = 60.0
_FUSED = ("recover", "verdicts", "settle", "claim")
_CRONS = (
    "0 * * * *",
    "*/20 * * * *",
    "30 2 * * *",
    "15 */6 * * 1-5",
    "0 9 1 * *",
    "7,41 8-18 * * *",
)
_ZONES = ("UTC", "Europe/Berlin", "Asia/Kolkata", "America/New_York")

Takes = Callable[[str, datetime], float]


class YearClock(FakeClock):
    """Virtual time in which a scheduler's naps of a minute last until something is due.

    A nap in which nothing happens changes nothing, and a year has half a million of them.
    """

    def __init__(self, start: datetime) -> None:
        super().__init__(start)
        self.next_wake_at: Callable[[], datetime | None] = lambda: None
        self.is_busy: Callable[[], bool] = lambda: False

    async def sleep(self, seconds: float) -> None:
        await super().sleep(self._until_due() if seconds == _NAP else seconds)

    def _until_due(self) -> float:
        at = self.next_wake_at()
        left = DAY if at is None else (at - self.now()).total_seconds()
        return max(_NAP, left)

    def timer(self, seconds: float) -> asyncio.Future[None]:
        """Return what is done in so many seconds."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._elapsed + seconds, next(self._order), done))
        return done

    async def settle(self) -> None:
        await super().settle()
        while self.is_busy():
            await asyncio.sleep(0.0002)
            await super().settle()

    async def pass_until(self, elapsed: float, has_stopped: Callable[[], bool]) -> None:
        """Let time pass, but not beyond the instant at which `has_stopped`."""
        await self.settle()
        while not has_stopped() and self.next_wake is not None:
            if self._sleepers[0][0] > elapsed:
                break
            await self._wake_next()
        if not has_stopped():
            self._elapsed = elapsed


class Fused:
    """A ledger that a process dies over: before or after any of a scheduler's steps is written."""

    def __init__(self, real: Any) -> None:
        self._real = real
        self.fuse = 0
        self.blow: Callable[[], object] = lambda: None
        self.died_in = ""
        self.calls = 0

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._real, name)

        async def ask(*values: Any, **named: Any) -> Any:
            self.calls += 1
            try:
                await self._burn(name, name)
                answer = await method(*values, **named)
                await self._burn(name, {"settle": "settled", "claim": "claimed"}.get(name, name))
            finally:
                self.calls -= 1
            return answer

        return ask

    async def _burn(self, name: str, step: str) -> None:
        if self.fuse and name in _FUSED:
            self.fuse -= 1
            if not self.fuse:
                self.died_in = step
                self.blow()
                await asyncio.sleep(0)


class PretendEngine(Engine):
    """Runs that only take time; each has its row."""

    def __init__(self, ledger: Any, clock: YearClock, takes: Takes) -> None:
        self._ledger = ledger
        self._clock = clock
        self._takes = takes
        self._listeners: list[Callable[[Run], None]] = []
        self._active: dict[int, tuple[Any, asyncio.Task[None]]] = {}
        self._timers: dict[int, asyncio.Future[None]] = {}

    def start(self, order: Any) -> None:
        if order.run.id not in self._active:
            task = asyncio.ensure_future(self._execute(order))
            self._active[order.run.id] = (order, task)

    async def _execute(self, order: Any) -> None:
        run = root = await self._ledger.begin(order.run.id, self._clock.now())
        while root.origin is not None:
            root = await self._ledger.read(root.origin)
        timer = self._clock.timer(self._takes(run.job, root.fire_time))
        self._timers[run.id] = timer
        await timer
        outcome = Outcome.CANCELLED if order.stop.is_requested else Outcome.SUCCEEDED
        ending = Ending(outcome=outcome, error=order.stop.why)
        ended = await self._ledger.finish(run.id, ending, self._clock.now())
        del self._active[run.id], self._timers[run.id]
        for listener in self._listeners:
            listener(ended)

    def active(self) -> Any:
        return [order for order, _ in self._active.values()]

    def on_end(self, listener: Callable[[Run], None]) -> None:
        self._listeners.append(listener)

    def cancel(self, run_id: int, why: str = "") -> bool:
        order, _ = self._active[run_id]
        order.stop.request(StopReason.CANCEL, CANCEL_SECONDS, why)
        timer = self._timers[run_id]
        self._clock.timer(CANCEL_SECONDS).add_done_callback(
            lambda _: timer.done() or timer.set_result(None)
        )
        return True

    async def drain(self, seconds: float) -> None:
        del seconds
        for _, task in list(self._active.values()):
            task.cancel()
        await asyncio.gather(*(task for _, task in self._active.values()), return_exceptions=True)

    def hurry(self) -> None:
        """Nothing to do: a drain does not wait."""


def takes_random(seed: int) -> Takes:
    """Most runs are short; some outlast their interval. The same run takes the same time."""

    def takes(job: str, fire_time: datetime) -> float:
        luck = share(seed, job, fire_time.isoformat())
        return 5 + 200 * luck if luck < 0.9 else 3_000 + 40_000 * (luck - 0.9)

    return takes


class Work:
    """What a run of the job kind does here: take its time, and end soon when it is asked to."""

    def __init__(self, clock: YearClock, takes: Takes) -> None:
        self._clock = clock
        self._takes = takes

    async def __call__(self, context: RunContext) -> Ending:
        fire_time = context.run.fire_time
        assert fire_time is not None
        timer = self._clock.timer(self._takes(context.run.job, fire_time))
        asked = asyncio.ensure_future(context.stop.wait())
        asked.add_done_callback(lambda _: self._hurry(timer))
        try:
            await timer
        finally:
            asked.cancel()
        return Ending(outcome=Outcome.SUCCEEDED)

    def _hurry(self, timer: asyncio.Future[None]) -> None:
        soon = self._clock.timer(CANCEL_SECONDS)
        soon.add_done_callback(lambda _: timer.done() or timer.set_result(None))


@dataclass
class Process:
    """One process: what it knows, what it runs, and its loop."""

    scheduler: Scheduler
    engine: Engine
    ledger: Fused
    admission: Admission
    stack: contextlib.AsyncExitStack
    task: asyncio.Task[None] | None = None


Opening = Callable[
    [YearClock, str], Awaitable[tuple[Surroundings, Engine, contextlib.AsyncExitStack]]
]
"""Give a process of this name its surroundings, whose ledger is `Fused`, and its engine."""


@dataclass(kw_only=True)
class Year:
    """Lives through random events, and lets the model live through the same.

    Args:
        seed: decides everything.
        jobs: how many there are.
        opening: makes a process.
        followers: how many jobs more there are that come after others.
    """

    seed: int
    jobs: int
    opening: Opening
    calm_days: float = 1.0
    followers: int = 0
    random: Random = field(init=False)
    clock: YearClock = field(init=False)
    model: Model = field(init=False)
    schedules: dict[str, Schedule] = field(default_factory=dict)
    process: Process | None = None
    history: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = Random(self.seed)
        self.clock = YearClock(BEGIN)
        self.takes = takes_random(self.seed)
        self.model = Model(BEGIN, self.takes)
        self.clock.next_wake_at = self._next_wake
        for number in range(self.jobs):
            name = f"job-{number:03}"
            self.schedules[name] = self._random_schedule(name)
        for number in range(self.followers):
            before, name = self.random.choice(list(self.schedules)), f"after-{number:03}"
            schedule = self._random_schedule(name)
            self.schedules[name] = replace(schedule, cron=None, every=None, after=(before,))

    def _next_wake(self) -> datetime | None:
        self.model.advance(self.clock.monotonic())
        # A model that is told of a start only after it knows of no fire times yet.
        return self.model.next_wake() if self.model.is_up else self.clock.now()

    def _random_schedule(self, name: str) -> Schedule:
        pick = self.random.choice
        work = Scripted(Work(self.clock, self.takes))
        job = Job(name=name, kind="scripted", work=work, timeout=timedelta(days=3650))
        timed: dict[str, Any] = {"cron": parse_cron(pick(_CRONS), pick(_ZONES), name)}
        if self.random.random() < 0.2:
            timed = {"every": timedelta(minutes=pick([11, 45, 600]))}
        return Schedule(
            job=job,
            **timed,
            misfire=pick(list(Misfire)),
            misfire_grace=pick([None, None, timedelta(minutes=5), timedelta(hours=7)]),
            overlap=pick(list(Overlap)),
            jitter=pick([timedelta(), timedelta(), timedelta(minutes=3)]),
            retries=0,
        )

    async def live(self, days: float) -> None:
        """Live through so many days, and end up and running."""
        try:
            await self._start(fuse=0)
            while self.clock.monotonic() < days * DAY:
                await self._pass(self.random.expovariate(1 / (self.calm_days * DAY)))
                await self._act()
            if self.process is None or self.process.task is None:
                await self._start(fuse=0)
        except BaseException as error:
            error.add_note(f"seed {self.seed}: {'; '.join(self.history[-30:])}")
            raise

    async def close(self) -> None:
        """Leave nothing behind."""
        if self.process is not None:
            await self._kill()

    async def _pass(self, seconds: float) -> None:
        """Let time pass; now and then the process dies over what it writes."""
        target = self.clock.monotonic() + seconds
        process = self.process
        if process is not None and process.task is not None and self.random.random() < 0.3:
            process.ledger.fuse = self.random.randint(1, 8)
        await self.clock.pass_until(target, self._has_died)
        self.model.advance(self.clock.monotonic())
        if self._has_died():
            assert process is not None
            if process.ledger.died_in == "claimed":
                self.model.die_after_claim()
            await self._end(f"died in {process.ledger.died_in}")
        elif process is not None:
            process.ledger.fuse = 0

    def _has_died(self) -> bool:
        return self.process is not None and bool(self.process.ledger.died_in)

    async def _end(self, how: str) -> None:
        """End the loop, and as a rule the process."""
        self.note(how)
        assert self.process is not None
        if self.random.random() < 0.7:
            self.note("killed")
            self.model.kill()
            await self._kill()
        else:
            self.note("stepped down")
            self.model.stop()
            await self._step_down(self.process)

    async def _kill(self) -> None:
        process, self.process = self.process, None
        assert process is not None
        await self._step_down(process)
        await process.engine.drain(0)
        await process.stack.aclose()
        await self.clock.settle()

    async def _step_down(self, process: Process) -> None:
        task, process.task = process.task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        process.ledger.died_in, process.ledger.fuse = "", 0
        await self.clock.settle()

    async def _act(self) -> None:
        """Do something at random that may be done now."""
        is_up = self.process is not None and self.process.task is not None
        acts = [self._jump, self._change]
        acts += [self._stop, self._pause, self._resume] if is_up else [self._start_again] * 4
        await self.random.choice(acts)()
        await self.clock.settle()

    async def _start_again(self) -> None:
        await self._start(fuse=self.random.choice([0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]))

    async def _start(self, *, fuse: int) -> None:
        if self.process is None:
            self.process = await self._open()
        process = self.process
        process.admission.load(self.model.pauses.values())
        if not self.model.jobs:
            self._tell_model()
        process.ledger.fuse = fuse
        process.task = asyncio.ensure_future(process.scheduler.run())
        process.ledger.blow = process.task.cancel
        await self.clock.settle()
        died_in = process.ledger.died_in
        self.note(f"started {died_in}")
        self.model.start(died_in)
        if died_in:
            await self._end("at start")
        elif process.task.done():
            await process.task
        process.ledger.fuse = 0

    async def _open(self) -> Process:
        around, engine, stack = await self.opening(self.clock, f"process {len(self.history)}")
        ledger: Any = around.stores.runs
        self.clock.is_busy = lambda: ledger.calls > 0
        scheduler = Scheduler(list(self.schedules.values()), engine, around)
        return Process(scheduler, engine, ledger, around.admission, stack)

    async def _stop(self) -> None:
        await self._end("stopped")

    async def _jump(self) -> None:
        """Set the wall clock; a scheduler that is up is woken, and looks."""
        sign = self.random.choice([1, 1, -1])
        by = timedelta(seconds=sign * int(self.random.choice([120, 4_000, 30_000, 250_000])))
        self.note(f"jump {by}")
        self.clock.jump_wall(by)
        self.model.jump(by)
        await self._apply(())

    async def _change(self) -> None:
        """Switch a job off or on, or give it another schedule; its past may be asked for."""
        name = self.random.choice(list(self.schedules))
        before = self.schedules[name]
        if self.random.random() < 0.7:
            job = replace(before.job, enabled=not before.job.enabled)
            self.schedules[name] = replace(before, job=job)
        else:
            other = self._random_schedule(name)
            self.schedules[name] = replace(before, cron=other.cron, every=other.every)
        is_up = self.process is not None and self.process.task is not None
        catch_up = (name,) if is_up and self.random.random() < 0.3 else ()
        enabled = self.schedules[name].job.enabled
        self.note(f"change {name} enabled={enabled} catch_up={bool(catch_up)}")
        self._tell_model()
        if is_up:
            self.model.change(catch_up)
        await self._apply(catch_up)

    async def _apply(self, catch_up: tuple[str, ...]) -> None:
        if self.process is not None:
            self.process.scheduler.apply(list(self.schedules.values()), catch_up=catch_up)
            await self.clock.settle()

    def _tell_model(self) -> None:
        """Tell the model of the jobs; the same schedule keeps its timetable."""
        for name, schedule in self.schedules.items():
            known = self.model.jobs.get(name)
            is_same = known is not None and known.schedule.times == schedule.times
            timetable: Any = known.timetable if is_same and known else schedule.cron
            if timetable is None and schedule.every is not None:
                timetable = Every(interval=schedule.every, anchor=BEGIN)
            timetable = timetable or Manual(after=schedule.after)
            self.model.know(schedule, timetable)

    async def _pause(self) -> None:
        assert self.process is not None
        name = self.random.choice(list(self.schedules))
        scope = PauseScope.ALL if self.random.random() < 0.3 else PauseScope.JOB
        now = self.clock.now()
        until = now + timedelta(hours=self.random.choice([1, 9, 60]), microseconds=7)
        is_open = self.random.random() < 0.3
        key = "" if scope is PauseScope.ALL else name
        pause = Pause(scope=scope, key=key, until=None if is_open else until, paused_at=now)
        self.note(f"pause {scope} {key} until {pause.until}")
        self.model.pauses[scope, key] = pause
        self.process.admission.pause(pause)

    async def _resume(self) -> None:
        assert self.process is not None
        if self.model.pauses:
            scope, key = self.random.choice(list(self.model.pauses))
            self.note(f"resume {scope} {key}")
            await self.process.scheduler.look(*([key] if key else self.schedules))
            self.model.resume(scope, key)
            self.process.admission.resume(scope, key)

    def note(self, what: str) -> None:
        """Remember what happened, for who reads a failure."""
        self.history.append(f"{self.clock.now():%m-%d %H:%M:%S} {what}")


def rows_of(runs: list[Run]) -> list[Told]:
    """List the fires of a ledger, and what follows from them, as the model does."""
    by_id = {run.id: run for run in runs}
    roots = dict(by_id)
    for run in runs:
        while (origin := roots[run.id].origin) is not None:
            roots[run.id] = by_id[origin]
    return sorted(
        (
            run.job,
            fire_time,
            str(run.skip_reason or run.outcome),
            str(run.cause),
            run.fires_since,
            seconds(run.started_at),
        )
        for run in runs
        if (fire_time := roots[run.id].fire_time) is not None
    )


def assert_same(year: Year, runs: list[Run]) -> None:
    """Fail with the first row that differs, the seed, and what happened around it."""
    found, expected = rows_of(runs), year.model.rows()
    if found == expected:
        return
    differing = sorted(set(found) ^ set(expected), key=lambda row: row[1])[:6]
    lines = [f"{'ledger' if row in found else 'model '} {row}" for row in differing]
    story = "\n".join([*lines, *year.history[-400:]])
    raise AssertionError(f"seed {year.seed}: {len(found)} rows, {len(expected)} expected\n{story}")


@contextlib.asynccontextmanager
async def closing(year: Year) -> AsyncIterator[Year]:
    """End what the year started."""
    try:
        yield year
    finally:
        await year.close()
