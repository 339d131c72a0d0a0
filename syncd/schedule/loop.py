"""The loop: one heap of what is next, one timer, nothing kept that the database does not know.

A fire time is claimed by a row before anything starts; who comes second finds the row. After an
outage the fires that were due are computed from the last row, and each of them gets its verdict.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from syncd.engine.base import Engine
from syncd.errors import StoreUnavailable
from syncd.jobs.base import Surroundings
from syncd.model.run import Cause, Run
from syncd.schedule.agenda import Agenda, Entry, Wake
from syncd.schedule.drift import Drift
from syncd.schedule.follow_ups import FollowUps
from syncd.schedule.looks import Looks
from syncd.schedule.roster import Schedule
from syncd.schedule.triggers import Triggers

_STORE_RETRY = timedelta(seconds=5)


class Scheduler(Triggers):
    """Starts runs when they are due, or when somebody asks for them.

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
        super().__init__(schedules, engine, around, is_firing=is_firing)
        self._agenda = Agenda(around.clock)
        self._looks = Looks(self, around, engine, self._agenda, self._lines)
        self._follow_ups = FollowUps(self, around, self._agenda, self._lines)
        self._drift = Drift(around.clock)
        self._is_stale = False
        self._not_before: datetime | None = None
        self._was_started = False
        self._unwanted: deque[Run] = deque()
        self._changed: set[str] = set()
        self._changed_at: datetime | None = None
        self._catch_up: set[str] = set()
        engine.on_end(self._note_ended)

    async def run(self) -> None:
        """Go on with what was interrupted, then fire until cancelled; may be run again then.

        Raises:
            StoreUnavailable: only before anything was started; repeat it then.
        """
        self._not_before = None
        try:
            async with self._turn:
                undecided = await self._prepare()
                self._tell(self.names())
                self._plan_starts(undecided)
            # What follows from the newest runs is planned at once.
            self._agenda.wake()
            while True:
                overslept = await self._agenda.sleep(self._not_before)
                async with self._turn:
                    await self._go_on(overslept)
        finally:
            # Whoever leads now goes on from the database, perhaps somebody else.
            self._forget()

    def apply(self, schedules: Sequence[Schedule], *, catch_up: Collection[str] = ()) -> None:
        """Replace the jobs while running.

        Jobs that fire as before keep their agenda. One that changed or was switched on counts from
        now, unless it is named in `catch_up`. One that is gone fires no more; its active run goes
        on.
        """
        before = {each.job: each for each in self.registered()}
        known = {schedule.job.name: schedule for schedule in self.schedules()}
        self.replace(schedules)
        after = {each.job: each for each in self.registered()}
        moved = {name for name in before | after if before.get(name) != after.get(name)}
        # A fire of which the claim's reply was lost may be due no more now: its row says so.
        self._is_stale |= self._looks.is_unsure_of(moved)
        self._looks.forget(moved)
        self._drop_unwanted(moved)
        for name in after.keys() - moved:
            if known[name] != self.schedule(name):
                self._looks.plan(name)
        self._changed |= moved
        self._changed_at = self._around.clock.now()
        self._catch_up |= set(catch_up)
        self._agenda.wake()

    def _drop_unwanted(self, moved: Iterable[str]) -> None:
        """Let nothing begin that waits, of jobs that are gone or off, and try them no more."""
        for name in moved:
            if not self.is_firing(name):
                self._unwanted.extend(self._lines.drop(name))
                self._follow_ups.forget(name)

    def _start(self, runs: Sequence[Run]) -> None:
        known = [run for run in runs if run.job in self._schedules]
        if len(known) < len(runs):
            # The jobs of the others went while the ledger was asked.
            self._unwanted.extend(run for run in runs if run.job not in self._schedules)
            self._agenda.wake()
        super()._start(known)

    async def look(self, *names: str) -> None:
        """Decide now what is due for these jobs; nothing where this process does not fire.

        Raises:
            NotKnown: no such job.
            StoreUnavailable: PostgreSQL cannot be reached.
        """
        for name in names:
            self.job(name)
        async with self._turn:
            await self._look(names)

    def next_retries(self) -> Mapping[str, datetime]:
        """Return when jobs try again what their last runs left undone; the others are left out."""
        return self._follow_ups.next_retries()

    def upcoming(self) -> Entry | None:
        """Return which job fires next, and when; None while none does."""
        return self._looks.first_among(self._agenda.in_order())

    def _note_ended(self, run: Run) -> None:
        """Take note of a run that ended: another may begin, or what it left undone be tried."""
        self._follow_ups.note([run])
        self._agenda.wake()

    def _forget(self) -> None:
        self._agenda.clear()
        self._lines.clear()
        self._looks.clear()
        self._follow_ups.clear()

    def _plan_starts(self, names: Sequence[str]) -> None:
        """Let jobs run that do so when syncd starts, once, and not beside a fire they missed."""
        now = self._around.clock.now()
        for name in () if self._was_started else names:
            if self.job(name).run_on_start and self.is_firing(name):
                self._agenda.add(now, name, Wake.START)
        self._was_started = True

    async def _prepare(self) -> Sequence[str]:
        """Read what the database knows, then start: a connection lost on the way starts nothing.

        Return the jobs of which nothing was due.
        """
        self._drift = Drift(self._around.clock)
        begun = {order.run.id for order in self._engine.active()}
        found = [run for run in await self._ledger.recover() if run.id not in begun]
        left = [run for run in found if await self._is_wanted(run)]
        limits = {name: self.job(name).limit for name in self.names()}
        last = await self._ledger.verdicts(limits)
        self._forget()
        self._looks.plan_resumes()
        self._changed |= set(self.names())
        self._changed_at = None
        for run in left:
            if run.options.only:
                self._lines.add_beside([run])
            else:
                self._lines.add(run)
        self._looks.replace_left()
        await self._settle()
        self._follow_ups.note(last.values())
        decided = await self._look(self.names())
        self._is_stale = False
        return [name for name in self.names() if name not in decided]

    def _tell(self, names: Sequence[str]) -> None:
        for name in names:
            self._around.bus.emit(self.registration(name))

    async def _settle(self) -> Sequence[str]:
        """Tell the ledger which jobs there are, plan those that changed, and name them."""
        await self._looks.end_replaced()
        while self._unwanted:
            if await self._is_wanted(self._unwanted[0]):
                self._lines.add(self._unwanted[0])
            self._unwanted.popleft()
        if not self._changed:
            return ()
        changed, self._changed = self._changed, set()
        catch_up, now = frozenset(self._catch_up), self._around.clock.now()
        # They count from the change, even if it could not be told before.
        at = min(self._changed_at or now, now)
        try:
            known = await self._ledger.settle(self.registered(), at, catch_up=catch_up)
        except StoreUnavailable:
            self._changed |= changed
            raise
        if not self._changed:
            self._changed_at = None
        self._catch_up -= catch_up
        for name in known.keys() & set(self.names()):
            self.settle(name, known[name].anchor_at)
        self._follow_ups.learn(known)
        # What changed again meanwhile is told again.
        new = (known.keys() & changed) - self._changed
        told = [name for name in self.names() if name in new]
        self._looks.learn({name: known[name] for name in told})
        return told

    async def _go_on(self, overslept: float) -> None:
        """Do all that is due; what PostgreSQL does not answer is done again a little later."""
        again_at = self._around.clock.now() + _STORE_RETRY
        jumped = self._drift.look(overslept)
        if jumped is not None:
            self._around.bus.emit(jumped)
            # The newest fire time that has a row may lie in the future now.
            self._is_stale |= "backward" in jumped.kind
        # What is due stays due until it is known of which jobs.
        self._not_before = again_at
        try:
            if self._is_stale:
                await self._prepare()
            self._tell(await self._settle())
            self._not_before = None
            await self._wake_due()
            await self._follow_ups.plan()
        except StoreUnavailable:
            self._agenda.add(again_at, "", Wake.AGAIN)
        self._begin()
        # Whoever looked may have been cancelled before that.
        await self._looks.conclude()

    async def _look(self, jobs: Collection[str]) -> Collection[str]:
        decided = await self._looks.look(jobs)
        # Jobs may have changed while the ledger was asked.
        self._drop_unwanted(self._changed)
        self._looks.spread()
        self._begin()
        # What has begun gets its turn before anything else is worked out.
        await asyncio.sleep(0)
        await self._looks.conclude()
        return decided

    async def _wake_due(self) -> None:
        """Wake what is due: turns, the fires of all jobs together, then the rest one by one."""
        again_at = self._around.clock.now() + _STORE_RETRY
        due = list(self._agenda.take_due())
        fires, rest = self._looks.due_among(due), deque[Entry]()
        is_resumed = any(each.wake is Wake.RESUME for each in due)
        for each in due:
            if each.wake is Wake.TURN:
                self._lines.release(each.job, each.at)
            elif each.wake is not Wake.FIRE:
                rest.append(each)
        try:
            if fires or is_resumed:
                await self._look(fires)
                fires = ()
            while rest:
                await self._wake(rest[0])
                rest.popleft()
        except StoreUnavailable:
            # A fire is kept here, and, should we die, found again from the last row.
            self._looks.postpone(fires, again_at)
            for entry in rest:
                self._follow_ups.postpone(entry, again_at)
            raise

    async def _wake(self, entry: Entry) -> None:
        match entry.wake:
            case Wake.RETRY if self._follow_ups.is_due(entry):
                await self._follow_ups.wake(entry)
            case Wake.START if not self._is_kept_from_starting(entry.job):
                draft = self.draft(entry.job, Cause.MANUAL, self._around.clock.now())
                self._lines.add(replace(draft, id=await self._ledger.create(draft)))
            case _:
                return

    def _is_kept_from_starting(self, name: str) -> bool:
        """Tell whether a job that runs when syncd starts is paused, gone, off, or runs already."""
        if not self.is_firing(name) or self._around.admission.holding_job(name) is not None:
            return True
        return bool(self._lines.ahead(name))
