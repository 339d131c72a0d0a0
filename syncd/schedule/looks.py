"""Looks: what is due is decided, written down in one statement, and may begin after that."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from syncd.engine.base import Engine
from syncd.jobs.base import Surroundings
from syncd.model.run import Cause, Outcome, Run
from syncd.model.schedule import Known
from syncd.schedule.agenda import Agenda, Entry, Wake
from syncd.schedule.found import Found, may_begin
from syncd.schedule.jitter import due_at
from syncd.schedule.ledger import Ledger
from syncd.schedule.lines import Lines
from syncd.schedule.roster import Roster
from syncd.schedule.telling import tell
from syncd.schedule.turns import Turns, in_turns
from syncd.schedule.verdicts import MOST_VERDICTS, Question, Way, decide

# Catch-ups that are found together begin one after another, within a minute in all.
_APART = timedelta(seconds=5)
_SPREAD = timedelta(seconds=60)
# One statement writes so many rows at most, however many jobs there are.
_MOST_ROWS = 50_000
_FEWEST_VERDICTS = 5
_BREATH = 200


class Looks:
    """Knows up to when each job's fire times are decided, and decides what is due since.

    Args:
        roster: the jobs.
        around: what runs share.
        engine: tells what is active, and cancels what is replaced.
        agenda: is told when each job is due next.
        lines: get what is to run.
    """

    def __init__(
        self, roster: Roster, around: Surroundings, engine: Engine, agenda: Agenda, lines: Lines
    ) -> None:
        self._roster = roster
        self._around = around
        self._engine = engine
        self._agenda = agenda
        self._lines = lines
        self._ledger: Ledger = around.stores.runs
        self._decided: dict[str, datetime] = {}
        self._due: dict[str, datetime] = {}
        self._unsure: set[str] = set()
        self._to_tell: list[Run] = []
        self._to_plan: deque[str] = deque()
        self._replaced: deque[tuple[Run, str]] = deque()
        around.admission.on_change(self.plan_resumes)

    def plan_resumes(self) -> None:
        """Wake the scheduler now and when pauses end: what they hold may begin then."""
        ends = [each.until for each in self._around.admission.pauses() if each.until is not None]
        for at in (self._around.clock.now(), *ends):
            self._agenda.add(at, "", Wake.RESUME)
        self._agenda.wake()

    def learn(self, known: Mapping[str, Known]) -> None:
        """Take over what the ledger knows, and plan from there."""
        self._decided |= {job: each.decided_until for job, each in known.items()}
        self._plan(known)

    def forget(self, jobs: Iterable[str]) -> None:
        """Decide nothing about these jobs until something is known of them again."""
        for job in jobs:
            self._decided.pop(job, None)
            self._due.pop(job, None)

    def is_unsure_of(self, jobs: Collection[str]) -> bool:
        """Tell whether fires of these jobs may be in the ledger without our knowing."""
        return not self._unsure.isdisjoint(jobs)

    def clear(self) -> None:
        """Decide nothing about any job until something is known of it again."""
        self.forget(list(self._decided))
        self._unsure.clear()
        self._to_tell.clear()
        self._to_plan.clear()
        self._replaced.clear()

    def plan(self, job: str) -> None:
        """Put a job's first fire without a verdict on the agenda."""
        self._plan([job])

    def _plan(self, jobs: Iterable[str]) -> None:
        """Plan jobs; what many of them share is looked for once."""
        shared: dict[tuple[int, datetime], datetime | None] = {}
        planned: dict[datetime, list[str]] = {}
        for job in jobs:
            since = self._decided.get(job)
            if since is None or not self._roster.is_firing(job):
                self._due.pop(job, None)
                continue
            timetable = self._roster.timetable(job)
            key = (id(timetable), since)
            if key not in shared:
                shared[key] = timetable.next_after(since)
            at, jitter = shared[key], self._roster.schedule(job).jitter
            if at is None:
                self._due.pop(job, None)
                continue
            if jitter:
                at = due_at(job, at, timetable.next_after(at), jitter)
            self._due[job] = at
            planned.setdefault(at, []).append(job)
        for at, some in planned.items():
            self._agenda.add_all(at, some, Wake.FIRE)

    def postpone(self, jobs: Iterable[str], at: datetime) -> None:
        """Look at jobs again later."""
        for job in jobs:
            self._due[job] = at
            self._agenda.add(at, job, Wake.FIRE)

    def due_among(self, entries: Iterable[Entry]) -> Collection[str]:
        """Name the jobs of which a fire is due, of the entries that the agenda gave out."""
        fire, due = Wake.FIRE, self._due
        return {each.job for each in entries if each.wake is fire and due.get(each.job) == each.at}

    def is_due(self, entry: Entry) -> bool:
        """Tell whether an entry still stands: plans change."""
        return self._due.get(entry.job) == entry.at

    async def look(self, jobs: Collection[str]) -> Collection[str]:
        """Decide what is due for these jobs, and name those of which something was.

        Nothing has begun when it returns; the lines hold what is to run.

        Raises:
            StoreUnavailable: nothing is decided then; look again.
        """
        now = self._around.clock.now()
        found = Found(
            now=now,
            active=self._lines.active(),
            most=max(_FEWEST_VERDICTS, min(MOST_VERDICTS, _MOST_ROWS // max(1, len(jobs)))),
        )
        busy = found.active.keys() | set(self._lines.jobs())
        due = [job for job in self._in_order(jobs) if job in self._due]
        turns = Turns()
        for job in due:
            if job in busy:
                await self._find(job, found)
            else:
                await self._find_alone(job, found)
            await turns.give()
        self._unsure |= found.newest.keys()
        claimed = await self._ledger.claim(found.fires, now) if found.fires else ()
        self._unsure -= found.newest.keys()
        # What changed meanwhile is learned anew.
        self._decided |= {job: at for job, at in found.newest.items() if job in self._decided}
        self._queue_all(claimed, found)
        if self._around.bus.is_heard:
            self._to_tell.extend(claimed)
        self._to_plan.extend(due)
        return found.newest.keys()

    def _queue_all(self, claimed: Sequence[Run], found: Found) -> None:
        """Let runs begin: at once where nothing is ahead, else when their turns come."""
        at_once: list[Run] = []
        for run in claimed:
            if run.skip_reason is not None:
                continue
            if run.job not in self._decided:  # it changed while the ledger was asked
                self._lines.add(run)
            elif run.job in found.in_line:
                self._queue(run, found)
            else:
                at_once.append(run)
        self._lines.add_beside(at_once)

    async def conclude(self) -> None:
        """Tell what was decided and plan what is next: what is late need not wait for that.

        What is left when it is cancelled is done by the next call.
        """
        while self._to_plan:
            self._plan([self._to_plan.popleft() for _ in range(min(_BREATH, len(self._to_plan)))])
            await asyncio.sleep(0)
        told, self._to_tell = self._to_tell, []
        await tell(self._around.bus, told)

    async def end_replaced(self) -> None:
        """Write down that runs which waited will not begin, because others came instead.

        Raises:
            StoreUnavailable: those that were not written down are so by the next call.
        """
        while self._replaced:
            run, why = self._replaced[0]
            at = self._around.clock.now()
            await self._ledger.abandon(run.id, at, why, Outcome.CANCELLED)
            self._replaced.popleft()

    def spread(self) -> None:
        """Hold back all but the first of the catch-ups that are ready to begin."""
        ready = self._lines.ready()
        late = [run for run in ready if run.cause is Cause.CATCH_UP and run.started_at is None]
        apart = min(_APART, _SPREAD / max(1, len(late)))
        now = self._around.clock.now()
        for place, run in enumerate(self._sorted(late)):
            if place:
                self._lines.hold(run.job, now + place * apart)
                self._agenda.add(now + place * apart, run.job, Wake.TURN)

    def _in_order(self, jobs: Iterable[str]) -> Sequence[str]:
        """Sort jobs as config.toml has them."""
        wanted = set(jobs)
        return [name for name in self._roster.names() if name in wanted]

    def _sorted(self, runs: Sequence[Run]) -> Sequence[Run]:
        by_job = {run.job: run for run in runs}
        return [by_job[job] for job in self._in_order(by_job)]

    async def _find(self, job: str, found: Found) -> None:
        """Decide what is due for a job; nothing if it changed while others had their turn."""
        if job not in self._decided:
            return
        waiting, active = self._lines.waiting(job), found.active.get(job)
        # After the clock was set back, what waits may seem to be due again.
        known = {run.fire_time for run in waiting}
        ahead = len(waiting) + (active is not None)
        asked = self._question(job, found, ahead=ahead)
        verdicts = await in_turns(decide(asked))
        if job not in self._decided:
            return
        found.add(
            self._roster.job(job),
            [verdict for verdict in verdicts if verdict.fire_time not in known],
            is_in_line=bool(ahead) or not may_begin(verdicts),
        )
        if verdicts:
            found.newest[job] = verdicts[-1].fire_time

    async def _find_alone(self, job: str, found: Found) -> None:
        """Decide what is due for a job of which nothing is ahead, once for all who share it."""
        rule, since = self._roster.rule(job), self._decided.get(job)
        if rule is None or since is None or self._around.admission.pauses_of(job):
            await self._find(job, found)
            return
        key = (rule, since)
        shared = found.shared.get(key)
        if shared is None:
            verdicts = await in_turns(decide(self._question(job, found)))
            shared = found.shared[key] = (verdicts, not may_begin(verdicts))
        verdicts, is_in_line = shared
        if verdicts and job in self._decided:
            found.add(self._roster.job(job), verdicts, is_in_line=is_in_line)

    def _question(self, job: str, found: Found, *, ahead: int = 0) -> Question:
        return Question(
            schedule=self._roster.schedule(job),
            timetable=self._roster.timetable(job),
            since=self._decided[job],
            now=found.now,
            pauses=self._around.admission.pauses_of(job),
            ahead=ahead,
            most=found.most,
        )

    def _queue(self, run: Run, found: Found) -> None:
        """Let a run begin when its turn comes, or as the overlap policy says."""
        assert run.fire_time is not None  # it was claimed by it
        way = found.ways.get((run.job, run.fire_time))
        if way is Way.BESIDE:
            self._lines.add_beside([run])
            return
        if way is Way.REPLACING:
            self._replace(found.active.get(run.job), run)
        self._lines.add(run)

    def _replace(self, active: Run | None, run: Run) -> None:
        """Let a run come instead of the active one, or of what a crash left waiting."""
        why = f"replaced by run {run.id}"
        if active is not None:
            self._engine.cancel(active.id, why)
            return
        self._replaced.extend((waiting, why) for waiting in self._lines.drop(run.job))
        self._agenda.wake()
