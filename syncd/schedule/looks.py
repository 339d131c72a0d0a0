"""Looks: what is due is decided, written down in one statement, and may begin after that."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Collection, KeysView, Sequence
from dataclasses import replace
from datetime import timedelta

from syncd.engine.base import Engine
from syncd.jobs.base import Surroundings
from syncd.model.run import Cause, Outcome, Run
from syncd.model.schedule import Overlap
from syncd.schedule.agenda import Agenda, Wake
from syncd.schedule.found import Found, Share, grouped, may_begin
from syncd.schedule.ledger import Ledger
from syncd.schedule.lines import Lines
from syncd.schedule.plans import Plans
from syncd.schedule.roster import Roster
from syncd.schedule.telling import tell
from syncd.schedule.turns import in_turns
from syncd.schedule.verdicts import MOST_VERDICTS, Question, Way, decide

# Catch-ups that are found together begin one after another, within a minute in all.
_APART = timedelta(seconds=5)
_SPREAD = timedelta(seconds=60)
# One statement writes so many rows at most, however many jobs there are.
_MOST_ROWS = 50_000
_FEWEST_VERDICTS = 5
# So many jobs are decided or planned before others get their turn: less than a millisecond.
_BREATH = 500


class Looks(Plans):
    """Decides what is due, since the fire time up to which that was done before.

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
        super().__init__(roster, agenda)
        self._around = around
        self._engine = engine
        self._lines = lines
        self._ledger: Ledger = around.stores.runs
        self._asked: KeysView[str] = {}.keys()
        self._unsure: set[str] = set()
        self._to_tell: list[Run] = []
        self._to_plan: deque[Sequence[str]] = deque()
        self._replaced: deque[tuple[Run, str]] = deque()
        around.admission.on_change(self.plan_resumes)

    def plan_resumes(self) -> None:
        """Wake the scheduler now and when pauses end: what they hold may begin then."""
        ends = [each.until for each in self._around.admission.pauses() if each.until is not None]
        for at in (self._around.clock.now(), *ends):
            self._agenda.add(at, "", Wake.RESUME)
        self._agenda.wake()

    def is_unsure_of(self, jobs: Collection[str]) -> bool:
        """Tell whether fires of these jobs may be in the ledger without our knowing."""
        return not (self._unsure | self._asked).isdisjoint(jobs)

    def clear(self) -> None:
        """Decide nothing about any job until something is known of it again."""
        self.forget(list(self._decided))
        self._unsure.clear()
        self._to_tell.clear()
        self._to_plan.clear()
        self._replaced.clear()

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
        due = self._roster.in_order(jobs)
        parts = [due[start : start + _BREATH] for start in range(0, len(due), _BREATH)]
        for some in parts:
            await self._find_among([job for job in some if job in self._due], busy, found)
        claimed = await self._claim(found)
        # What changed meanwhile is learned anew.
        gone = found.newest.keys() - self._decided.keys()
        self._decided |= found.newest
        self.forget(gone)
        self._queue_all(claimed, found)
        if self._around.bus.is_heard:
            self._to_tell.extend(claimed)
        self._to_plan.extend(parts)
        return found.newest.keys()

    async def _claim(self, found: Found) -> Sequence[Run]:
        """Write down what was found; without an answer nobody knows whether that was done."""
        self._asked = found.newest.keys()
        try:
            claimed = await self._ledger.claim(found.fires, found.now) if found.fires else ()
        except BaseException:
            self._unsure |= self._asked
            raise
        finally:
            self._asked = {}.keys()
        if self._unsure:
            self._unsure -= found.newest.keys()
        return claimed

    def _queue_all(self, claimed: Sequence[Run], found: Found) -> None:
        """Let runs begin: at once where nothing is ahead, else when their turns come."""
        to_run = [run for run in claimed if run.skip_reason is None]
        decided, in_line = self._decided, found.in_line
        held = self._around.admission.holding_job
        at_once = [
            run
            for run in to_run
            if run.job in decided and run.job not in in_line and not held(run.job)
        ]
        self._lines.add_beside(at_once)
        for run in to_run if len(at_once) < len(to_run) else ():
            if run.job in decided and run.job in in_line:
                self._queue(run, found)
            elif run.job not in decided or held(run.job):
                self._lines.add(run)  # it changed, or was paused, while the ledger was asked

    async def conclude(self) -> None:
        """Tell what was decided and plan what is next: what is late need not wait for that.

        What is left when it is cancelled is done by the next call.
        """
        while self._to_plan:
            self._plan(self._to_plan.popleft())
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

    def _sorted(self, runs: Sequence[Run]) -> Sequence[Run]:
        by_job = {run.job: run for run in runs}
        return [by_job[job] for job in self._roster.in_order(by_job)]

    async def _find_among(self, jobs: Sequence[str], busy: Collection[str], found: Found) -> None:
        """Decide what is due for jobs: once for all that share it and have nothing ahead."""
        pauses, begun = self._around.admission, len(found.fires)
        alone: dict[str, None] = {}
        if busy or pauses.are_known:
            alone = {job: None for job in jobs if job in busy or pauses.pauses_of(job)}
        plain = [job for job in jobs if job not in alone] if alone else jobs
        groups, rest = grouped(plain, self._roster.rules, self._decided)
        for job in (*alone, *rest):
            await self._find(job, found)
        for share, some in groups:
            await self._find_shared(share, some, found)
        if alone or rest or len(groups) > 1:
            found.sort(begun, self._roster.place)

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
            self._roster.jobs([job]),
            [verdict for verdict in verdicts if verdict.fire_time not in known],
            is_in_line=bool(ahead) or not may_begin(verdicts),
        )
        if verdicts:
            found.newest[job] = verdicts[-1].fire_time
        await found.turns.give()

    async def _find_shared(self, share: Share, jobs: Sequence[str], found: Found) -> None:
        """Decide what is due for jobs that share it; nothing for those that changed meanwhile."""
        one = next((job for job in jobs if job in self._decided), None)
        if one is None:
            return
        if share not in found.shared:
            # A pause of one that came while others had their turn is none of all.
            plain = replace(self._question(one, found), pauses=())
            found.shared[share] = await in_turns(decide(plain))
        verdicts = found.shared[share]
        is_in_line, step = not may_begin(verdicts), max(1, _BREATH // max(1, len(verdicts)))
        for start in range(0, len(jobs), step):
            here = [job for job in jobs[start : start + step] if job in self._decided]
            found.add(self._roster.jobs(here), verdicts, is_in_line=is_in_line)
            await found.turns.give()

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
        if way is Way.BESIDE and not self._around.admission.holding_job(run.job):
            self._lines.add_beside([run])
            return
        if way is Way.REPLACING:
            self._replace(found.active.get(run.job), run)
        self._lines.add(run)

    def replace_left(self) -> None:
        """Let fires replace what they were claimed to replace, where a crash came in between.

        What one look claimed together is a catch-up, and replaces nothing.
        """
        for job in self._roster.in_order(self._lines.jobs()):
            ahead = self._lines.ahead(job)
            if len(ahead) != 2 or self._roster.schedule(job).overlap is not Overlap.REPLACE:
                continue
            first, second = ahead
            if second.fire_time is not None and second.claimed_at != first.claimed_at:
                self._lines.forget(second.id)
                self._replace(self._engine.find_active(job), second)
                self._lines.add(second)

    def _replace(self, active: Run | None, run: Run) -> None:
        """Let a run come instead of the active one, or of what a crash left waiting."""
        why = f"replaced by run {run.id}"
        if active is not None:
            self._engine.cancel(active.id, why)
            return
        self._replaced.extend((waiting, why) for waiting in self._lines.drop(run.job))
        self._agenda.wake()
