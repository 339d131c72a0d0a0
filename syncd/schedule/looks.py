"""Looks: what is due is decided, written down in one statement, and may begin after that."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from syncd.engine.base import Engine
from syncd.jobs.base import Surroundings
from syncd.model.run import Cause, Outcome, Run, RunId, RunOptions
from syncd.model.schedule import Known
from syncd.schedule.agenda import Agenda, Entry, Wake
from syncd.schedule.jitter import due_at
from syncd.schedule.ledger import Ledger
from syncd.schedule.lines import Lines
from syncd.schedule.roster import Roster
from syncd.schedule.verdicts import MOST_VERDICTS, Question, Verdict, Way, decide
from syncd.telemetry.events import FireClaimed, FireSkipped

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

    def learn(self, known: Mapping[str, Known]) -> None:
        """Take over what the ledger knows, and plan from there."""
        for job, each in known.items():
            self._decided[job] = each.decided_until
            self.plan(job)

    def forget(self, jobs: Iterable[str]) -> None:
        """Decide nothing about these jobs until something is known of them again."""
        for job in jobs:
            self._decided.pop(job, None)
            self._due.pop(job, None)

    def clear(self) -> None:
        """Decide nothing about any job until something is known of it again."""
        self.forget(list(self._decided))

    def plan(self, job: str) -> None:
        """Put a job's first fire without a verdict on the agenda."""
        since = self._decided.get(job)
        if since is None or not self._roster.is_firing(job):
            self._due.pop(job, None)
            return
        timetable = self._roster.timetable(job)
        fire_time = timetable.next_after(since)
        if fire_time is None:
            self._due.pop(job, None)
            return
        following = timetable.next_after(fire_time)
        at = due_at(job, fire_time, following, self._roster.schedule(job).jitter)
        self._due[job] = at
        self._agenda.add(at, job, Wake.FIRE)

    def postpone(self, jobs: Iterable[str], at: datetime) -> None:
        """Look at jobs again later."""
        for job in jobs:
            self._due[job] = at
            self._agenda.add(at, job, Wake.FIRE)

    def is_due(self, entry: Entry) -> bool:
        """Tell whether an entry still stands: plans change."""
        return self._due.get(entry.job) == entry.at

    async def look(self, jobs: Collection[str]) -> frozenset[str]:
        """Decide what is due for these jobs, and name those of which something was.

        Nothing has begun when it returns; what is to run waits in its line.

        Raises:
            StoreUnavailable: nothing is decided then; look again.
        """
        now = self._around.clock.now()
        active = self._lines.active()
        most = max(_FEWEST_VERDICTS, min(MOST_VERDICTS, _MOST_ROWS // max(1, len(jobs))))
        drafts: list[Run] = []
        ways: dict[tuple[str, datetime | None], Way] = {}
        newest: dict[str, datetime] = {}
        found = [job for job in self._in_order(jobs) if job in self._due]
        for number, job in enumerate(found, 1):
            # After the clock was set back, what waits may seem to be due again.
            waiting = {run.fire_time for run in self._lines.waiting(job)}
            for verdict in self._decide(job, now, active.get(job), most):
                newest[job] = verdict.fire_time
                if verdict.fire_time not in waiting:
                    drafts.append(self._draft(job, verdict, now))
                    ways[job, verdict.fire_time] = verdict.way
            if number % _BREATH == 0:
                await asyncio.sleep(0)
        claimed = await self._ledger.claim(drafts)
        self._decided |= newest
        self._plan_on(found, now)
        for run in claimed:
            if run.skip_reason is None:
                self._queue(run, ways[run.job, run.fire_time], active)
        self._tell(claimed)
        return frozenset(newest)

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

    def _plan_on(self, jobs: Iterable[str], now: datetime) -> None:
        for job in jobs:
            if self._due[job] <= now:
                self.plan(job)

    def _in_order(self, jobs: Iterable[str]) -> Sequence[str]:
        """Sort jobs as config.toml has them."""
        wanted = set(jobs)
        return [name for name in self._roster.names() if name in wanted]

    def _sorted(self, runs: Sequence[Run]) -> Sequence[Run]:
        by_job = {run.job: run for run in runs}
        return [by_job[job] for job in self._in_order(by_job)]

    def _decide(self, job: str, now: datetime, active: Run | None, most: int) -> Sequence[Verdict]:
        waiting = self._lines.waiting(job)
        return decide(
            Question(
                schedule=self._roster.schedule(job),
                timetable=self._roster.timetable(job),
                since=self._decided[job],
                now=now,
                pauses=self._around.admission.pauses_of(job),
                ahead=len(waiting) + (active is not None),
                is_active=active is not None,
                most=most,
            )
        )

    def _draft(self, name: str, verdict: Verdict, now: datetime) -> Run:
        job = self._roster.job(name)
        return Run(
            id=RunId(0),
            job=name,
            kind=job.kind,
            cause=verdict.cause,
            outcome=Outcome.SKIPPED if verdict.skip_reason else Outcome.CLAIMED,
            fire_time=verdict.fire_time,
            due_at=verdict.due_at,
            fires_since=verdict.fires_since,
            skip_reason=verdict.skip_reason,
            options=RunOptions(limit=job.limit),
            claimed_at=now,
        )

    def _queue(self, run: Run, way: Way, active: Mapping[str, Run]) -> None:
        if way is Way.BESIDE:
            self._lines.add_beside(run)
            return
        self._lines.add(run)
        if way is Way.REPLACING:
            self._engine.cancel(active[run.job].id, f"replaced by run {run.id}")

    def _tell(self, claimed: Sequence[Run]) -> None:
        bus, now = self._around.bus, self._around.clock.now()
        skipped: dict[tuple[str, str], Run] = {}
        rows: Counter[tuple[str, str]] = Counter()
        since: dict[tuple[str, str], datetime | None] = {}
        for run in claimed:
            assert run.fire_time is not None  # it was claimed by it
            if run.skip_reason is None:
                late = (now - (run.due_at or run.fire_time)).total_seconds()
                bus.emit(
                    FireClaimed(
                        run_id=run.id,
                        job=run.job,
                        fire_time=run.fire_time,
                        cause=run.cause,
                        late_seconds=round(late, 3),
                    )
                )
                continue
            key = (run.job, str(run.skip_reason))
            since.setdefault(key, run.fires_since or run.fire_time)
            skipped[key] = run
            rows[key] += 1
        for key, run in skipped.items():
            bus.emit(_skip_event(run, rows[key], since[key]))


def _skip_event(newest: Run, rows: int, since: datetime | None) -> FireSkipped:
    assert newest.fire_time is not None  # it was claimed by it
    return FireSkipped(
        job=newest.job,
        fire_time=newest.fire_time,
        reason=str(newest.skip_reason),
        rows=rows,
        fires_since=since if since != newest.fire_time else None,
    )
