"""Plans: up to when each job's fire times are decided, and when the first of the others is due."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

from syncd.model.schedule import Known
from syncd.schedule.agenda import Agenda, Entry, Wake
from syncd.schedule.found import grouped
from syncd.schedule.jitter import due_at
from syncd.schedule.roster import Roster


class Plans:
    """Puts on the agenda when each job is due next.

    Args:
        roster: the jobs.
        agenda: is told when each job is due next.
    """

    def __init__(self, roster: Roster, agenda: Agenda) -> None:
        self._roster = roster
        self._agenda = agenda
        self._decided: dict[str, datetime] = {}
        self._due: dict[str, datetime] = {}

    def learn(self, known: Mapping[str, Known]) -> None:
        """Take over what the ledger knows, and plan from there."""
        self._decided |= {job: each.decided_until for job, each in known.items()}
        self._plan(list(known))

    def forget(self, jobs: Iterable[str]) -> None:
        """Decide nothing about these jobs until something is known of them again."""
        for job in jobs:
            self._decided.pop(job, None)
            self._due.pop(job, None)

    def plan(self, job: str) -> None:
        """Put a job's first fire without a verdict on the agenda."""
        self._plan([job])

    def _plan(self, jobs: Sequence[str]) -> None:
        """Plan jobs; what many of them share is looked for once."""
        groups, rest = grouped(jobs, self._roster.rules, self._decided)
        for (_, since), some in groups:
            self._plan_to(some, self._roster.timetable(some[0]).next_after(since))
        for job in rest:
            self._plan_to([job], self._next_of(job))

    def _plan_to(self, jobs: Sequence[str], at: datetime | None) -> None:
        if at is None:
            for job in jobs:
                self._due.pop(job, None)
        else:
            self._due |= dict.fromkeys(jobs, at)
            self._agenda.add_fires(at, jobs)

    def _next_of(self, job: str) -> datetime | None:
        """Return when a job's first fire without a verdict is due; None where there is none."""
        since = self._decided.get(job)
        if since is None or not self._roster.is_firing(job):
            return None
        timetable = self._roster.timetable(job)
        at = timetable.next_after(since)
        following = None if at is None else timetable.next_after(at)
        return at and due_at(job, at, following, self._roster.schedule(job).jitter)

    def postpone(self, jobs: Iterable[str], at: datetime) -> None:
        """Look at jobs again later."""
        self._plan_to(list(jobs), at)

    def due_among(self, entries: Iterable[Entry]) -> Collection[str]:
        """Name the jobs of which a fire is due, of the entries that the agenda gave out."""
        fires = [each for each in entries if each.wake is Wake.FIRE]
        due = self._due
        return [job for at, jobs, *_ in fires for job in jobs if due.get(job) == at]

    def first_among(self, entries: Iterable[Entry]) -> Entry | None:
        """Return the first job and instant that still stand: plans change."""
        for each in entries:
            for job in each.jobs:
                if self._due.get(job) == each.at:
                    return each._replace(jobs=(job,))
        return None
