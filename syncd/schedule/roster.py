"""Which jobs there are, and when each of them fires."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NewType

from syncd.clock import Clock
from syncd.config.values import suggestion
from syncd.errors import NotKnown
from syncd.model.run import Cause, Outcome, Run, RunId, RunOptions
from syncd.model.schedule import Misfire, Overlap, Registered
from syncd.runs.job import Job
from syncd.schedule.cron import CronSchedule
from syncd.schedule.timetable import Every, Manual, Timetable
from syncd.telemetry.events import JobRegistered

_NEVER = Manual()
_MARGIN = timedelta(seconds=5)
_DEFAULT_TIMEOUT = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """When a job fires, and what becomes of fires that are late, meet a run, or fail.

    By cron, every so often, or only when triggered or after others (`after`; with `after_created`
    only when those created something). `misfire_grace` None is one interval.
    """

    job: Job
    cron: CronSchedule | None = None
    every: timedelta | None = None
    timezone: str = "UTC"
    misfire: Misfire = Misfire.ONCE
    misfire_grace: timedelta | None = None
    overlap: Overlap = Overlap.SKIP
    jitter: timedelta = timedelta()
    retries: int = 2
    after: tuple[str, ...] = ()
    after_created: bool = False

    @property
    def times(self) -> str:
        """Say when it fires, so that a change of its fire times is noticed and nothing else."""
        words = []
        if self.cron is not None:
            words.append(f"cron {self.cron.expression} {self.cron.timezone}")
        if self.every is not None:
            words.append(f"every {self.every.total_seconds():g}s")
        return ", ".join([*words, *(f"after {job}" for job in self.after)])


Rule = NewType("Rule", int)
"""Stands for a timetable and what becomes of its late fires."""


class Roster:
    """The jobs of config.toml with their timetables.

    Args:
        schedules: every job of config.toml.
        clock: where time comes from.
        is_firing: False means that no job fires by itself.
    """

    def __init__(self, schedules: Sequence[Schedule], clock: Clock, *, is_firing: bool) -> None:
        self._know(schedules)
        self._timetables: dict[str, Timetable] = {}
        self._anchors: dict[str, datetime] = {}
        self._distinct: dict[Timetable, Timetable] = {}
        self._rules: dict[str, Rule] = {}
        self._numbers: dict[tuple[int, Misfire, timedelta | None], Rule] = {}
        self._clock = clock
        self._is_firing = is_firing

    def _know(self, schedules: Sequence[Schedule]) -> None:
        self._schedules = {schedule.job.name: schedule for schedule in schedules}
        self._places = {name: place for place, name in enumerate(self._schedules)}
        self._followers = _followers(schedules)

    @property
    def fires(self) -> bool:
        """Whether any job fires by itself."""
        return self._is_firing

    def schedules(self) -> Sequence[Schedule]:
        """Return every job of config.toml with its schedule."""
        return list(self._schedules.values())

    def replace(self, schedules: Sequence[Schedule]) -> None:
        """Know other jobs from now on; a new `every` counts from now until it is settled."""
        self._know(schedules)
        for name in set(self._anchors) - set(self._schedules):
            del self._anchors[name], self._timetables[name]
            self._rules.pop(name, None)
        if self._anchors:
            now = self._clock.now()
            for name in self._schedules:
                self.settle(name, self._anchors.get(name, now))

    def followers(self, name: str) -> Sequence[Schedule]:
        """Return the jobs that come after a job."""
        return self._followers.get(name, ())

    def draft(self, name: str, cause: Cause, now: datetime, **fields: Any) -> Run:
        """Return a run of a job that the ledger does not know yet."""
        job = self.job(name)
        fields.setdefault("outcome", Outcome.CLAIMED)
        return Run(
            id=RunId(0),
            job=name,
            kind=job.kind,
            cause=cause,
            options=options_within(job.limit),
            claimed_at=now,
            **fields,
        )

    def names(self) -> Sequence[str]:
        """Name every job, in the order of config.toml."""
        return list(self._schedules)

    def in_order(self, names: Iterable[str]) -> list[str]:
        """Sort names as config.toml has them; of several alike one is left, of unknown ones none.

        It takes no longer for the jobs that are not named.
        """
        places = self._places
        return sorted({name: None for name in names if name in places}, key=places.__getitem__)

    def place(self, name: str) -> int:
        """Return where a job stands in config.toml; one that is gone stands at the end."""
        return self._places.get(name, len(self._places))

    def jobs(self, names: Iterable[str]) -> list[Job]:
        """Return jobs of config.toml."""
        return [self._schedules[name].job for name in names]

    def knows(self, name: str) -> bool:
        """Tell whether there is a job of that name."""
        return name in self._schedules

    def registered(self) -> Sequence[Registered]:
        """Return every job as the ledger keeps it."""
        return [
            Registered(job=name, schedule=schedule.times, enabled=self.is_firing(name))
            for name, schedule in self._schedules.items()
        ]

    def registration(self, name: str) -> JobRegistered:
        """Return what is told of a job when it becomes known."""
        schedule = self.schedule(name)
        return JobRegistered(
            job=name,
            kind=schedule.job.kind,
            schedule=self.timetable(name).describe(),
            timezone=schedule.timezone,
            enabled=schedule.job.enabled,
            next_fire_time=self.next_fire(name),
        )

    def job(self, name: str) -> Job:
        """Return a job of config.toml.

        Raises:
            NotKnown: there is none of that name.
        """
        if name not in self._schedules:
            near = suggestion(name, self._schedules)
            known = ", ".join(sorted(self._schedules)) or "none"
            raise NotKnown(f"there is no job {name!r}{near}", hint=f"jobs: {known}")
        return self._schedules[name].job

    def schedule(self, name: str) -> Schedule:
        """Return a job with its schedule; raises like `job`."""
        self.job(name)
        return self._schedules[name]

    def timetable(self, name: str) -> Timetable:
        """Return when a job fires; before the database was reached, `every` jobs say never."""
        return self._timetables.get(name, _NEVER)

    @property
    def rules(self) -> Mapping[str, Rule]:
        """What the verdicts of jobs that fire depend on, equal for all that share it.

        Left out are jobs whose verdicts depend on their names as well, or are not settled yet.
        """
        return self._rules

    def next_fire(self, name: str) -> datetime | None:
        """Return a job's next fire time, None when it only runs when triggered."""
        if not self.is_firing(name):
            return None
        return self.timetable(name).next_after(self._clock.now())

    def interval(self, name: str) -> timedelta:
        """Return the time between a job's next two fire times; zero where it has none."""
        timetable = self.timetable(name)
        first = timetable.next_after(self._clock.now())
        second = None if first is None else timetable.next_after(first)
        return second - first if first and second else timedelta()

    def is_firing(self, name: str) -> bool:
        """Tell whether a job fires by itself; one that is gone does not."""
        return self._is_firing and self.knows(name) and self.job(name).enabled

    def settle(self, name: str, anchor: datetime) -> Timetable:
        """Fix and return when a job fires; `anchor` is where its `every` counts from."""
        schedule = self.schedule(name)
        timetable: Timetable = Manual(after=schedule.after)
        if schedule.cron is not None:
            timetable = schedule.cron
        elif schedule.every is not None:
            timetable = Every(interval=schedule.every, anchor=anchor)
        # Equal ones are the same one, so that what follows from it is worked out once for all.
        self._timetables[name] = self._distinct.setdefault(timetable, timetable)
        self._anchors[name] = anchor
        # By identity, because all that are distinct are kept here.
        rule = (id(self._timetables[name]), schedule.misfire, schedule.misfire_grace)
        if schedule.jitter or not self.is_firing(name):
            self._rules.pop(name, None)
        else:
            self._rules[name] = self._numbers.setdefault(rule, Rule(len(self._numbers)))
        return timetable

    def deadline(self, job: Job) -> float | None:
        """Return when a run that starts now must have ended; None: nothing waits behind it.

        It is on the monotonic clock: should the wall clock jump, a run takes no longer for that.
        """
        left = self._time_for(job)
        return None if left is None else self._clock.monotonic() + left.total_seconds()

    def _time_for(self, job: Job) -> timedelta | None:
        if job.timeout is not None:
            return job.timeout
        if not job.work.is_item_driven:
            return _DEFAULT_TIMEOUT
        # The job may have gone since its run was started.
        following = self.next_fire(job.name) if self.knows(job.name) else None
        return None if following is None else max(following - self._clock.now() - _MARGIN, _MARGIN)


@functools.cache
def options_within(limit: int | None) -> RunOptions:
    """Return the options of runs that nobody narrowed, of jobs with that limit."""
    return RunOptions(limit=limit)


def _followers(schedules: Sequence[Schedule]) -> Mapping[str, Sequence[Schedule]]:
    found: dict[str, list[Schedule]] = {}
    for schedule in schedules:
        for name in schedule.after:
            found.setdefault(name, []).append(schedule)
    return found
