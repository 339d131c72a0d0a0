"""The loop: one heap of what is next, one timer, nothing kept that the database does not know.

A fire time is claimed by a row before anything starts; who comes second finds the row. After an
outage the fires that were due are computed from the last row: the latest one runs.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import assert_never

from syncd.engine.base import Engine
from syncd.errors import AlreadyRunning, Stopping, StoreUnavailable
from syncd.jobs.base import Surroundings
from syncd.jobs.stop import Stop
from syncd.model.run import Cause, Outcome, Run, RunId, RunOptions, SkipReason
from syncd.runs.job import Job
from syncd.runs.runner import Order
from syncd.schedule.agenda import Agenda, Entry, Wake
from syncd.schedule.roster import Roster, Schedule
from syncd.schedule.timetable import latest_between
from syncd.telemetry.events import FireSkipped

_LATE = timedelta(seconds=60)
_STORE_RETRY = timedelta(seconds=5)
_HELD_RETRY = timedelta(minutes=5)
_RETRYABLE = {Outcome.PARTIAL, Outcome.FAILED}


class Scheduler(Roster):
    """Starts runs when they are due or asked for.

    Args:
        schedules: every job of config.toml.
        engine: executes the runs.
        around: what runs share.
        is_firing: False starts nothing by itself (staging, tests).
    """

    def __init__(
        self,
        schedules: Sequence[Schedule],
        engine: Engine,
        around: Surroundings,
        *,
        is_firing: bool = True,
    ) -> None:
        super().__init__(schedules, around.clock, is_firing=is_firing)
        self._engine = engine
        self._around = around
        self._agenda = Agenda(around.clock)
        self._ended: deque[Run] = deque()
        self._is_closed = False
        self._is_stale = False
        self._catch_up: frozenset[str] = frozenset()
        # Between the look at what runs and the start of a run nobody else may start one.
        self._turn = asyncio.Lock()
        engine.on_end(self._note_ended)

    async def run(self) -> None:
        """Go on with what was interrupted, then fire for ever.

        Raises:
            StoreUnavailable: only before anything was started; repeat it then.
        """
        async with self._turn:
            await self._prepare()
        while True:
            await self._agenda.sleep()
            if self._is_stale:
                async with self._turn:
                    await self._prepare()
            await self._plan_retries()
            await self._wake_due()

    def apply(self, schedules: Sequence[Schedule], *, catch_up: Collection[str] = ()) -> None:
        """Replace the jobs while running.

        Jobs that fire as before keep their agenda. One that changed or was switched on counts from
        now, unless it is named in `catch_up`. One that is gone fires no more; its active run goes
        on.
        """
        self.replace(schedules)
        self._catch_up = frozenset(catch_up)
        self._is_stale = True
        self._agenda.wake()

    async def look(self, name: str) -> None:
        """Decide now what is due for a job.

        Raises:
            NotKnown: no such job.
            StoreUnavailable: PostgreSQL cannot be reached.
        """
        self.job(name)
        self._agenda.wake()

    async def trigger(self, name: str, options: RunOptions, *, is_beside: bool = False) -> Run:
        """Start a run that no fire time asked for, and return it.

        `is_beside` lets it go beside a run of the same job: it must be about single users then.

        Raises:
            NotKnown: no such job.
            BadInput: its kind cannot be narrowed in that way.
            AlreadyRunning: the job runs, and this run is not to go beside it.
            Stopping: syncd is on its way down.
            StoreUnavailable: PostgreSQL cannot be reached.
        """
        job = self.job(name)
        job.work.check(options)
        limited = replace(options, limit=options.limit or job.limit)
        async with self._turn:
            if self._is_closed:
                raise Stopping("syncd is stopping: nothing new starts", hint="try again later")
            active = self._engine.find_active(name)
            if active is not None and not is_beside:
                raise AlreadyRunning(
                    f"job {name} runs already: run {active.id}",
                    run_id=active.id,
                    hint=f"follow it with `syncd show {active.id}`, or `syncd cancel {active.id}`",
                )
            return await self._create(job, Cause.MANUAL, limited)

    def next_retry(self, name: str) -> datetime | None:
        """Return when a job tries again what its last run left undone; None when it does not."""
        return self._agenda.first(name, Wake.RETRY)

    async def close(self) -> None:
        """Start nothing any more; whoever is about to start a run does so first."""
        async with self._turn:
            self._is_closed = True

    def _note_ended(self, run: Run) -> None:
        """Take note of a run that ended: what it left undone may be tried again later."""
        self._ended.append(run)
        self._agenda.wake()

    async def _prepare(self) -> None:
        """Read what the database knows, then start: a connection lost on the way starts nothing."""
        runs, now = self._around.stores.runs, self._around.clock.now()
        left = [run for run in await runs.recover() if await self._is_wanted(run)]
        last = await runs.last_of(self.names())
        known = await runs.settle(self.registered(), now, catch_up=self._catch_up)
        self._catch_up = frozenset()
        for name in self.names():
            self.settle(name, known[name].anchor_at)
        self._agenda.clear()
        for run in left:
            self._start(run, self.job(run.job))
        for name in self.names():
            self._register(self.schedule(name), known[name].decided_until, now)
        self._ended.extend(last.values())
        self._is_stale = False
        self._agenda.wake()

    async def _is_wanted(self, run: Run) -> bool:
        """Tell whether to go on with a run whose process died; one that nobody wants is ended."""
        if run.job not in self.names():
            why = "its job is no longer in config.toml"
        elif not self.job(run.job).enabled:
            why = "its job is off"
        elif run.options.dry_run and run.started_at is not None:
            why = "a dry run leaves nothing to go on from"
        else:
            return True
        await self._around.stores.runs.abandon(run.id, self._around.clock.now(), why)
        return False

    def _register(self, schedule: Schedule, fired: datetime, now: datetime) -> None:
        """Put a job on the agenda: with the last fire time that passed while nobody was there."""
        job = schedule.job
        timetable, next_fire = self.timetable(job.name), self.next_fire(job.name)
        self._around.bus.emit(self.registration(job.name))
        if not self.is_firing(job.name):
            return
        missed = latest_between(timetable, fired, now)
        due = missed or next_fire
        if due is not None:
            self._agenda.add(due, job.name, Wake.FIRE, due)
        if job.run_on_start and missed is None:
            self._agenda.add(now, job.name, Wake.START, now)

    async def _wake_due(self) -> None:
        now = self._around.clock.now()
        for entry in self._agenda.take_due():
            try:
                async with self._turn:
                    await self._wake(entry, now)
            except StoreUnavailable:
                # The fire is kept here, and, should we die, found again from the last row.
                self._agenda.add(now + _STORE_RETRY, entry.job, entry.wake, entry.fire_time)

    async def _wake(self, entry: Entry, now: datetime) -> None:
        match entry.wake:
            case Wake.FIRE:
                await self._wake_fire(entry, now)
            case Wake.RETRY:
                await self._wake_retry(entry)
            case Wake.START:
                await self._wake_start(entry)
            case _:
                assert_never(entry.wake)

    async def _wake_fire(self, entry: Entry, now: datetime) -> None:
        job, timetable = self.job(entry.job), self.timetable(entry.job)
        fire_time = latest_between(timetable, entry.fire_time, now) or entry.fire_time
        cause = Cause.CATCH_UP if now - fire_time > _LATE else Cause.SCHEDULE
        await self._fire(job, fire_time, cause)
        following = timetable.next_after(max(now, fire_time))
        if following is not None:
            self._agenda.add(following, entry.job, Wake.FIRE, following)

    async def _wake_start(self, entry: Entry) -> None:
        job = self.job(entry.job)
        is_held = self._around.admission.holding_job(job.name) is not None
        if not is_held and self._engine.find_active(job.name) is None:
            await self._create(job, Cause.MANUAL, RunOptions(limit=job.limit))

    async def _fire(self, job: Job, fire_time: datetime, cause: Cause) -> None:
        skip_reason: SkipReason | None = None
        if self._around.admission.holding_job(job.name) is not None:
            skip_reason = SkipReason.PAUSED
        elif self._engine.find_active(job.name) is not None:
            skip_reason = SkipReason.OVERLAP
        run = self._draft(job, cause, RunOptions(limit=job.limit), fire_time)
        run = replace(run, due_at=fire_time, skip_reason=skip_reason)
        claimed = await self._around.stores.runs.claim([run])
        if not claimed:
            return
        if skip_reason is not None:
            self._around.bus.emit(
                FireSkipped(job=job.name, fire_time=fire_time, reason=skip_reason)
            )
            return
        self._start(claimed[0], job)

    async def _create(self, job: Job, cause: Cause, options: RunOptions) -> Run:
        run = self._draft(job, cause, options, None)
        number = await self._around.stores.runs.create(run)
        created = replace(run, id=number)
        self._start(created, job)
        return created

    def _draft(
        self, job: Job, cause: Cause, options: RunOptions, fire_time: datetime | None
    ) -> Run:
        return Run(
            id=RunId(0),
            job=job.name,
            kind=job.kind,
            cause=cause,
            outcome=Outcome.CLAIMED,
            fire_time=fire_time,
            options=options,
            claimed_at=self._around.clock.now(),
        )

    def _start(self, run: Run, job: Job) -> None:
        order = Order(run=run, job=job, stop=Stop(), deadline=self.deadline(job))
        self._engine.start(order)

    async def _plan_retries(self) -> None:
        """Find when what ended runs left undone may be tried again."""
        while self._ended:
            try:
                await self._plan_retry(self._ended[0])
            except StoreUnavailable:
                return
            self._ended.popleft()

    async def _plan_retry(self, run: Run) -> None:
        """Plan a retry, unless the run was narrowed or its job only runs when triggered."""
        options = run.options
        narrowed = options.only or options.platform or options.limit is not None or options.dry_run
        following = self.next_fire(run.job) if run.job in self.names() else None
        if following is None or narrowed or run.outcome not in _RETRYABLE:
            return
        cycle_start = await self._around.stores.runs.cycle_start(run.job)
        if cycle_start is None:
            return
        at = await self.job(run.job).work.next_retry(self._around, cycle_start)
        if at is not None and at < following:
            self._agenda.add(at, run.job, Wake.RETRY, at)

    async def _wake_retry(self, entry: Entry) -> None:
        job = self.job(entry.job)
        is_held = self._around.admission.holding_job(job.name) is not None
        if is_held or self._engine.find_active(job.name) is not None:
            later = self._around.clock.now() + _HELD_RETRY
            self._agenda.add(later, job.name, Wake.RETRY, entry.fire_time)
            return
        await self._create(job, Cause.RETRY, RunOptions())
