"""When a job fires, whichever way that was written: a cron schedule, an interval, or never."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from syncd.errors import ConfigError
from syncd.schedule.zone import LAST_INSTANT

_PRECISION = timedelta(milliseconds=1)
_STEP = 50


class Timetable(Protocol):
    """What the scheduler asks: a pure function of time, frozen and hashable.

    `CronSchedule`, `Every` and `Manual` are the three there are.
    """

    def next_after(self, instant: datetime) -> datetime | None:
        """Return the first fire time strictly after `instant` in UTC; None if there is none."""

    def explain(self, fire_time: datetime, /) -> str:
        """Say what is odd about a fire time; empty if nothing."""

    def describe(self) -> str:
        """Say when it fires, in a few words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Every:
    """An interval of real time: fires at `anchor`, and whole intervals before and after it.

    The anchor is kept by whoever owns the job, so that a restart does not move the fire times, and
    a clock that is set back finds fire times before it as well.
    """

    interval: timedelta
    anchor: datetime

    def __post_init__(self) -> None:
        if self.interval <= timedelta(0):
            raise ConfigError(f"every = {self.interval} does not go forward, write at least 1s")

    def next_after(self, instant: datetime) -> datetime | None:
        """Return the first fire time strictly after `instant`; None if the calendar ends first."""
        passed = (instant - self.anchor) // self.interval
        try:
            following = (self.anchor + (passed + 1) * self.interval).astimezone(UTC)
        except OverflowError:
            return None
        return following if following <= LAST_INSTANT else None

    def explain(self, _fire_time: datetime, /) -> str:
        """Say nothing: real time has no oddities."""
        return ""

    def describe(self) -> str:
        """Say how long the interval is."""
        minutes, seconds = divmod(self.interval.total_seconds(), 60)
        hours, minutes = divmod(minutes, 60)
        days, hours = divmod(hours, 24)
        parts = ((days, "d"), (hours, "h"), (minutes, "m"), (seconds, "s"))
        return "every " + "".join(f"{count:g}{unit}" for count, unit in parts if count)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manual:
    """No fire times: the job runs when it is triggered, or after others."""

    after: tuple[str, ...] = ()

    def next_after(self, instant: datetime) -> None:
        """Return None."""

    def explain(self, _fire_time: datetime, /) -> str:
        """Say nothing."""
        return ""

    def describe(self) -> str:
        """Say what it waits for."""
        return f"after {' and '.join(self.after)}" if self.after else "when triggered"


def fires_between(
    timetable: Timetable, start: datetime, end: datetime, limit: int
) -> list[datetime]:
    """List the fire times after `start` up to and including `end`, the first `limit` of them.

    With `start` the last fire time that has its row and `end` now, these are the ones without.
    """
    fires: list[datetime] = []
    fire_time = timetable.next_after(start)
    while fire_time is not None and fire_time <= end and len(fires) < limit:
        fires.append(fire_time)
        fire_time = timetable.next_after(fire_time)
    return fires


def latest_between(timetable: Timetable, start: datetime, end: datetime) -> datetime | None:
    """Return the last fire time after `start` up to and including `end`, None if there is none.

    Asks some fifty times at most, however many fire times lie in between: after years of downtime
    as well.
    """
    latest = timetable.next_after(start)
    if latest is None or latest > end:
        return None
    # No fire time lies behind `last`; two of them lie further apart than the precision.
    last = end
    while last - latest > _PRECISION:
        middle = latest + (last - latest) / 2
        later = timetable.next_after(middle)
        if later is None or later > end:
            last = middle
        else:
            latest = later
    return latest


def newest_between(
    timetable: Timetable, start: datetime, end: datetime, limit: int
) -> Generator[None, None, list[datetime]]:
    """List the fire times after `start` up to and including `end`, the last `limit` of them.

    However many lie in between, it asks for little more than it lists; it is a generator because
    it pauses on the way, so that others get their turn.
    """
    few = min(limit, _STEP)
    fires = fires_between(timetable, start, end, few + 1)
    if len(fires) <= few:
        return fires
    # What took so many fire times before is a first guess of what does at the end.
    width = (fires[-1] - fires[0]) * (limit / few) or _PRECISION
    newest: list[datetime] = []
    end = latest_between(timetable, fires[-1], end) or fires[-1]
    while len(newest) < limit and end > start:
        missing = limit - len(newest)
        begin = start if end - start <= width else end - width
        fires = yield from _fires_in_steps(timetable, begin, end, missing + 1)
        if len(fires) > missing and width > _PRECISION:
            width /= 2
            continue
        newest = [*fires, *newest]
        end, width = begin, width * 2
    return newest


def _fires_in_steps(
    timetable: Timetable, start: datetime, end: datetime, limit: int
) -> Generator[None, None, list[datetime]]:
    fires: list[datetime] = []
    while len(fires) < limit:
        some = fires_between(timetable, start, end, min(_STEP, limit - len(fires)))
        fires += some
        if len(some) < _STEP:
            break
        start = some[-1]
        yield
    return fires
