"""Cron schedules: croniter enumerates wall-clock times, the instants are found here.

croniter is never shown a time zone: with one it fires fixed-time schedules twice in a repeated hour
and at times that a zone's clock skips. Nothing outside this file knows croniter.
"""

from __future__ import annotations

import functools
import itertools
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from croniter import CroniterBadDateError, croniter

from syncd.errors import ConfigError
from syncd.schedule.expression import alternatives, canonical, open_steps, quoted
from syncd.schedule.words import in_words
from syncd.schedule.zone import LAST_INSTANT, Change, change_at, first_change, load_zone, offset_at

# The longest wait that an expression can ask for is 40 years: a 29 February on a given weekday.
_MAX_YEARS: Final = 50
# What cron calls a change of daylight saving; a larger one corrects the calendar.
_LONGEST_SHIFT: Final = timedelta(hours=3)
# How far before a fire time `explain` looks for skipped ones: far enough for weekly schedules.
_LOOK_BACK: Final = timedelta(days=8)
_SECOND: Final = timedelta(seconds=1)
# Where reading an expression looks for its first fire time.
_SOME_DAY: Final = datetime(2026, 1, 1, tzinfo=UTC)
# Before it, an instant or one a year earlier may have no local time.
_FIRST_INSTANT: Final = datetime(3, 1, 1, tzinfo=UTC)


class _WallTimes:
    """The naive wall-clock times that a canonical expression names."""

    def __init__(self, expression: str) -> None:
        every = [_enumerator(each) for each in alternatives(expression)]
        start = _SOME_DAY.replace(tzinfo=None)
        # One that never fires costs more than all others, each time that it is asked.
        self._enumerators = [each for each in every if _first_after(each, start) is not None]

    def after(self, wall: datetime) -> datetime | None:
        """Return the first one strictly after `wall`; None if there is none for 50 years."""
        found = (_first_after(each, wall) for each in self._enumerators)
        return min((first for first in found if first is not None), default=None)

    def since(self, wall: datetime) -> Iterator[datetime]:
        """Yield them all, from `wall` on and including it."""
        following = self.after(wall - _SECOND)
        while following is not None:
            yield following
            following = self.after(following)


def _enumerator(expression: str, hash_id: str = "") -> croniter:
    return croniter(
        expression,
        start_time=_SOME_DAY.replace(tzinfo=None),
        max_years_between_matches=_MAX_YEARS,
        hash_id=hash_id,
        day_or=False,  # `alternatives` has seen to that
        second_at_beginning=True,
    )


def _first_after(enumerator: croniter, wall: datetime) -> datetime | None:
    """Return the first time after `wall`.

    croniter keeps its position in itself, so it is told where to start in every call.
    """
    try:
        return enumerator.get_next(datetime, start_time=wall)
    except CroniterBadDateError:
        return None


class _FireTimes:
    """The instants of a canonical expression in a zone, for all schedules that mean the same.

    Remembers the last few stretches between two fire times, so that however many jobs share a
    schedule, each of its fire times is looked for once.
    """

    def __init__(self, expression: str, zone: ZoneInfo) -> None:
        self.evaluations = 0
        self.zone = zone
        self.walls = _WallTimes(expression)
        self.is_fixed = not any(column.startswith("*") for column in expression.split(" ")[:-3])
        self._known: tuple[tuple[datetime, datetime], ...] = ()
        # croniter's position would be lost to a second thread, one that checks a new config, say.
        self._turn = threading.Lock()
        self.is_ever = self.next_after(_SOME_DAY) is not None

    def next_after(self, instant: datetime) -> datetime | None:
        """Return the first fire time strictly after `instant`, in UTC; None if there is none."""
        instant = max(instant.astimezone(UTC), _FIRST_INSTANT)
        for start, end in self._known:
            if start <= instant < end:
                return end
        if instant > LAST_INSTANT:
            return None
        with self._turn:
            self.evaluations += 1
            found = self._look_after(instant)
            if found is not None:
                self._known = ((instant, found), *self._known[:3])
            return found

    def _look_after(self, instant: datetime) -> datetime | None:
        """Go from one offset change to the next; between two of them wall time is real time."""
        latest = instant + timedelta(days=366 * _MAX_YEARS)
        offset = offset_at(self.zone, instant)
        seen = self._seen_by(instant)
        wall = self.walls.after(seen)
        while wall is not None:
            found = (wall - offset).replace(tzinfo=UTC)
            change = first_change(self.zone, instant, min(found, latest))
            if change is None:
                return found if found <= latest else None
            if self._is_moved(wall, change):
                return change.at
            instant, offset = change.at, change.offset_after
            start = self._start_after(change)
            if not seen <= start < wall:
                wall = self.walls.after(start)
            seen = start
        return None

    def _seen_by(self, instant: datetime) -> datetime:
        """Return the wall time up to which everything has fired by `instant`."""
        local = instant.astimezone(self.zone)
        wall = local.replace(tzinfo=None, fold=0)
        change = change_at(self.zone, wall) if local.fold else None
        return wall if change is None else max(wall, self._start_after(change))

    def _start_after(self, change: Change) -> datetime:
        """Return the wall time up to which everything has fired when the clocks have changed."""
        if self.is_fixed and change.gap >= -_LONGEST_SHIFT:
            # What the clock repeats has fired in the first pass.
            return max(change.wall_before, change.wall_after) - _SECOND
        return change.wall_after - _SECOND

    def _is_moved(self, wall: datetime, change: Change) -> bool:
        """Tell whether a wall time is made up for at the end of the gap that skips it."""
        return self.is_fixed and change.gap <= _LONGEST_SHIFT and wall < change.wall_after


@dataclass(frozen=True, slots=True, kw_only=True)
class CronSchedule:
    """A cron expression in a time zone; made by `parse_cron` only.

    Equal schedules fire alike. `text` is what a person wrote, `expression` its canonical spelling
    with numbers for every `H`.
    """

    expression: str
    timezone: str
    text: str = field(compare=False)
    fire_times: _FireTimes = field(compare=False, repr=False)

    @property
    def zone(self) -> ZoneInfo:
        """Return the time zone."""
        return self.fire_times.zone

    @property
    def is_fixed(self) -> bool:
        """Tell whether it names times of the day, which changing clocks neither drop nor double."""
        return self.fire_times.is_fixed

    @property
    def evaluations(self) -> int:
        """Return how often a fire time was looked for, by all schedules that mean the same."""
        return self.fire_times.evaluations

    @property
    def remark(self) -> str:
        """Say what other crons would not read, or read otherwise; empty if nothing."""
        if steps := open_steps(self.expression):
            return f'"{steps[0]}" steps on to the end of its field; classic cron refuses it'
        return ""

    def next_after(self, instant: datetime) -> datetime | None:
        """Return the first fire time strictly after `instant`; both are aware, the result UTC.

        None if there is none for 50 years, or the calendar ends.
        """
        return self.fire_times.next_after(instant)

    def explain(self, fire_time: datetime, /) -> str:
        """Say what changing clocks have to do with this fire time; empty if nothing."""
        fire_time = fire_time.astimezone(UTC)
        wall = fire_time.astimezone(self.zone).replace(tzinfo=None, fold=0)
        repeat = change_at(self.zone, wall)
        if repeat is not None:
            habit = "fixed hour fires once" if self.is_fixed else "fires each time"
            return f"clock repeats {_shown(wall, wall)}; {habit}"
        skipped = self._skipped_before(fire_time)
        shown = [_shown(each, before) for before, each in itertools.pairwise([wall, *skipped])]
        told = [*shown[:3], "..."] if len(shown) > 3 else shown
        return f"clock skips {', '.join(told)}" if told else ""

    def describe(self) -> str:
        """Say in words when it fires."""
        return in_words(self.expression, self.timezone)

    def _skipped_before(self, fire_time: datetime) -> list[datetime]:
        """List the first wall times that no clock showed, if this is the fire time after them."""
        change = first_change(self.zone, fire_time - _LOOK_BACK, fire_time)
        if change is None or change.gap < timedelta(0):
            return []
        if self.next_after(change.at - _SECOND) != fire_time:
            return []
        inside = itertools.takewhile(
            lambda wall: wall < change.wall_after, self.fire_times.walls.since(change.wall_before)
        )
        return list(itertools.islice(inside, 4))


def parse_cron(expression: str, timezone: str, hash_id: str = "") -> CronSchedule:
    """Read a schedule.

    Args:
        expression: 5 fields, 6 with the seconds first, or a nickname such as `@daily`.
        timezone: an IANA name.
        hash_id: what an `H` is drawn from, as a rule the job's name; the same one fires alike.

    Raises:
        ConfigError: one sentence with what is wrong and how to mend it.
    """
    spelled = canonical(expression)
    if "h" in spelled and not hash_id:
        raise ConfigError(f'schedule {quoted(expression)}: "H" needs a job, write a number')
    if "h" in spelled:
        spelled = _without_hashes(spelled, hash_id)
    fire_times = _fire_times(spelled, load_zone(timezone))
    if not fire_times.is_ever:
        raise ConfigError(
            f"schedule {quoted(expression)}: it never fires, "
            "write a day that one of its months has and an hour that this day has"
        )
    return CronSchedule(
        expression=spelled,
        timezone=timezone,
        text=" ".join(expression.split()),
        fire_times=fire_times,
    )


# Ten thousand jobs have a few dozen expressions, and reading one costs more than using it.
@functools.lru_cache(maxsize=1024)
def _fire_times(expression: str, zone: ZoneInfo) -> _FireTimes:
    """Return the fire times that all schedules have in common which mean the same."""
    return _FireTimes(expression, zone)


def _without_hashes(spelled: str, hash_id: str) -> str:
    """Put the numbers in that every `H` stands for."""
    columns = spelled.split(" ")
    *expanded, last = _enumerator(spelled, hash_id).expanded
    drawn = [last, *expanded] if len(columns) == 6 else [*expanded, last]
    return " ".join(
        ",".join(map(str, numbers)) if "h" in column else column
        for column, numbers in zip(columns, drawn, strict=True)
    )


def _shown(wall: datetime, before: datetime) -> str:
    """Write a wall time as short as it can be after another one: with its date if it is new."""
    day = "" if wall.date() == before.date() else f"{wall:%Y-%m-%d} "
    return f"{day}{wall:%H:%M:%S}" if wall.second else f"{day}{wall:%H:%M}"
