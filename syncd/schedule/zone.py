"""Where a time zone's clock skips or repeats: zoneinfo knows, but has no call that tells."""

from __future__ import annotations

import difflib
import functools
import itertools
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from syncd.errors import ConfigError

LAST_INSTANT: Final = datetime(9800, 1, 1, tzinfo=UTC)
"""Nothing fires later: sums of instants, offsets and years would leave the calendar."""

_WEEK = timedelta(weeks=1)
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """An instant at which a zone's offset changes, with the offsets on both sides of it."""

    at: datetime
    offset_before: timedelta
    offset_after: timedelta

    @property
    def gap(self) -> timedelta:
        """Return how much wall-clock time is skipped; negative when it is repeated."""
        return self.offset_after - self.offset_before

    @property
    def wall_before(self) -> datetime:
        """Return what the clock would show if it did not change; naive."""
        return (self.at + self.offset_before).replace(tzinfo=None)

    @property
    def wall_after(self) -> datetime:
        """Return what the clock shows; naive."""
        return (self.at + self.offset_after).replace(tzinfo=None)


def load_zone(name: str) -> ZoneInfo:
    """Find a zone by its IANA name.

    Raises:
        ConfigError: nothing by that name, with a name that was probably meant.
    """
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as exc:
        mend = f'did you mean "{near}"?' if (near := _nearest_name(name)) else ""
        mend = mend or 'write a name such as "Asia/Kolkata" or "UTC"'
        raise ConfigError(f"time zone {json.dumps(name[:64])} is not known, {mend}") from exc


def offset_at(zone: ZoneInfo, instant: datetime) -> timedelta:
    """Return what the zone's clock is ahead of UTC at `instant`."""
    offset = instant.astimezone(zone).utcoffset()
    assert offset is not None  # a ZoneInfo always has one
    return offset


def first_change(zone: ZoneInfo, after: datetime, until: datetime) -> Change | None:
    """Return the first change strictly after `after` and not later than `until`; both are UTC."""
    for year in range(after.year, until.year + 1):
        for change in _changes_in_year(zone, year):
            if after < change.at:
                return change if change.at <= until else None
    return None


def change_at(zone: ZoneInfo, wall: datetime) -> Change | None:
    """Return the change that skips or repeats this naive wall time; None for an ordinary one."""
    wall = wall.replace(microsecond=0)
    first = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    second = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    # zoneinfo reads a skipped time with the offset before the change (fold 0) or after it
    # (fold 1), so the two readings enclose the change just as those of a repeated time do.
    return None if first == second else _bisect(zone, min(first, second), max(first, second))


# Forty zones for as long as the rarest expression may wait.
@functools.lru_cache(maxsize=2048)
def _changes_in_year(zone: ZoneInfo, year: int) -> tuple[Change, ...]:
    """Return the changes of a year of UTC; its first instant belongs to the year before."""
    # A week is the longest stretch in which no zone changes twice and back (tz data from 1970 on).
    weeks = [datetime(year, 1, 1, tzinfo=UTC) + n * _WEEK for n in range(53)]
    instants = [*weeks, datetime(year + 1, 1, 1, tzinfo=UTC)]
    known = [(instant, offset_at(zone, instant)) for instant in instants]
    return tuple(
        _bisect(zone, before, after)
        for (before, offset_before), (after, offset_after) in itertools.pairwise(known)
        if offset_before != offset_after
    )


def _bisect(zone: ZoneInfo, before: datetime, after: datetime) -> Change:
    """Find the one change between two instants whose offsets differ."""
    offset_before, offset_after = offset_at(zone, before), offset_at(zone, after)
    while after - before > _SECOND:
        middle = before + (after - before) // _SECOND // 2 * _SECOND
        if offset_at(zone, middle) == offset_before:
            before = middle
        else:
            after = middle
    return Change(at=after, offset_before=offset_before, offset_after=offset_after)


def _nearest_name(name: str) -> str:
    """Return the zone that was probably meant by its name or its city; empty if none is near."""
    names = {known.lower(): known for known in sorted(available_timezones())}
    cities = {lower.rpartition("/")[2]: known for lower, known in names.items()}
    wanted = name.strip().lower().replace(" ", "_")[:64]
    for choices in (names, cities):
        if near := difflib.get_close_matches(wanted, choices, n=1, cutoff=0.8):
            return choices[near[0]]
    return ""
