"""Cron as a look at every single second or minute: slow, and nothing to get wrong."""

from __future__ import annotations

import calendar
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)
_LONGEST_SHIFT = timedelta(hours=3)
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_WEEKDAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]

Names = Callable[[datetime], bool]
"""Tells whether a wall time is meant."""


@dataclass(frozen=True)
class Column:
    """One field: how it is written, and which wall times it names."""

    text: str
    names: Names

    @property
    def is_star(self) -> bool:
        return self.text.startswith(("*", "?"))


EVERY = Column("*", lambda _: True)


@dataclass(frozen=True)
class Written:
    """An expression as its fields; without seconds it has five."""

    second: Column | None
    minute: Column
    hour: Column
    day: Column = EVERY
    month: Column = EVERY
    weekday: Column = EVERY

    @property
    def times(self) -> list[Column]:
        return [column for column in (self.second, self.minute, self.hour) if column]

    def __str__(self) -> str:
        columns = [*self.times, self.day, self.month, self.weekday]
        return " ".join(column.text for column in columns)

    @property
    def is_fixed(self) -> bool:
        return not any(column.is_star for column in self.times)

    def names(self, wall: datetime) -> bool:
        if self.second is None and wall.second:
            return False
        if not all(column.names(wall) for column in (*self.times, self.month)):
            return False
        day, weekday = self.day.names(wall), self.weekday.names(wall)
        return day and weekday if self.day.is_star or self.weekday.is_star else day or weekday


def looked_up(written: Written, zone: ZoneInfo, start: datetime, step: timedelta) -> list[datetime]:
    """Look at every step of 2,160 after `start` as cron's main loop does."""
    found = []
    at = start.replace(microsecond=0) if step == SECOND else start.replace(second=0, microsecond=0)
    before = at.astimezone(zone)
    for _ in range(LOOKS):
        at += step
        local = at.astimezone(zone)
        due = [local.replace(tzinfo=None)]
        if written.is_fixed:
            due = [] if _is_second_pass(local) else [*_skipped(before, local, step), *due]
        if any(written.names(wall) for wall in due):
            found.append(at.astimezone(UTC))
        before = local
    return found


LOOKS = 2160
"""A day and a half of minutes, 36 minutes of seconds."""


def _is_second_pass(local: datetime) -> bool:
    first, second = local.replace(fold=0).utcoffset(), local.utcoffset()
    assert first is not None
    assert second is not None
    return bool(local.fold) and first - second <= _LONGEST_SHIFT


def _skipped(before: datetime, local: datetime, step: timedelta) -> list[datetime]:
    """Return the wall times between two neighbours, unless the calendar jumps."""
    wall = before.replace(tzinfo=None) + step
    gap = local.replace(tzinfo=None) - wall
    return [wall + n * step for n in range(gap // step)] if gap <= _LONGEST_SHIFT else []


def _members(
    low: int, high: int, read: Callable[[datetime], int], names: list[str] | None = None
) -> st.SearchStrategy[Column]:
    """Members of a list, of every shape that a person might write."""
    numbers = st.integers(low, high)

    def shown(number: int, *, named: bool) -> str:
        return names[number - low] if names and named else str(number)

    def one(text: str, first: int, last: int, step: int) -> Column:
        values = frozenset(range(first, last + 1, step))
        return Column(text, lambda wall: read(wall) in values)

    def ranged(ends: list[int], step: int, *, named: bool) -> Column:
        first, last = min(ends), max(ends)
        text = f"{shown(first, named=named)}-{shown(last, named=named)}"
        return one(text if step == 1 else f"{text}/{step}", first, last, step)

    steps = st.integers(1, high + 3)
    ends = st.lists(numbers, min_size=2, max_size=2)
    return st.one_of(
        st.builds(lambda n, *, named: one(shown(n, named=named), n, n, 1), numbers, named=_NAMED),
        st.builds(ranged, ends, steps, named=_NAMED),
        steps.map(lambda step: one(f"*/{step}", low, high, step)),
        st.builds(lambda n, step: one(f"{n}/{step}", n, high, step), numbers, steps),
    )


_NAMED = st.booleans()


def _lists(members: st.SearchStrategy[Column], *alone: str) -> st.SearchStrategy[Column]:
    def joined(parts: list[Column]) -> Column:
        text = ",".join(part.text for part in parts)
        return Column(text, lambda wall: any(part.names(wall) for part in parts))

    anything = st.sampled_from([Column(text, lambda _: True) for text in alone])
    either = st.one_of(members, st.just(EVERY)) if alone else members
    lists = st.lists(members, min_size=1, max_size=4) | st.lists(either, min_size=1, max_size=3)
    return st.one_of(anything, lists.map(joined)) if alone else lists.map(joined)


def _last_day(wall: datetime) -> int:
    return calendar.monthrange(wall.year, wall.month)[1]


def _weekday(wall: datetime) -> int:
    return wall.isoweekday() % 7


def _nearest(number: int) -> Column:
    def is_nearest(wall: datetime) -> bool:
        last = _last_day(wall)
        day = min(number, last)
        off = calendar.weekday(wall.year, wall.month, day) - 4
        if off == 1:
            day += -1 if day > 1 else 2
        elif off == 2:
            day += 1 if day < last else -2
        return wall.day == day

    return Column(f"{number}W", is_nearest)


def _nth(day: int, place: int) -> Column:
    return Column(
        f"{day}#{place}",
        lambda wall: _weekday(wall) == day % 7 and (wall.day + 6) // 7 == place,
    )


def _last_one(day: int, *, is_first: bool) -> Column:
    return Column(
        f"L{day}" if is_first else f"{day}L",
        lambda wall: _weekday(wall) == day % 7 and wall.day + 7 > _last_day(wall),
    )


_TO_SUNDAY = st.integers(0, 6).map(
    lambda first: Column(f"{first}-7", lambda wall: _weekday(wall) >= first or not _weekday(wall))
)

SECONDS = _lists(_members(0, 59, lambda wall: wall.second), "*")
MINUTES = _lists(_members(0, 59, lambda wall: wall.minute), "*")
HOURS = _lists(_members(0, 23, lambda wall: wall.hour), "*")
MONTHS = st.just(EVERY) | _lists(_members(1, 12, lambda wall: wall.month, _MONTHS), "*")
DAYS = st.sampled_from([EVERY, Column("?", lambda _: True)]) | _lists(
    _members(1, 31, lambda wall: wall.day)
    | st.just(Column("L", lambda wall: wall.day == _last_day(wall)))
    | st.integers(1, 31).map(_nearest),
    "*",
)
WEEKDAYS = st.sampled_from([EVERY, Column("?", lambda _: True)]) | _lists(
    _members(0, 6, _weekday, _WEEKDAYS)
    | _TO_SUNDAY
    | st.builds(_nth, st.integers(0, 7), st.integers(1, 5))
    | st.builds(_last_one, st.integers(0, 7), is_first=_NAMED),
    "*",
)
EXPRESSIONS = st.builds(
    Written,
    second=st.none() | SECONDS,
    minute=MINUTES,
    hour=HOURS,
    day=DAYS,
    month=MONTHS,
    weekday=WEEKDAYS,
)
