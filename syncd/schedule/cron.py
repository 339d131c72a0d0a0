"""Cron schedules: croniter enumerates wall-clock times, the instants are found here.

croniter is never shown a time zone: with one it fires fixed-time schedules twice in a repeated hour
and at times that a zone's clock skips. Nothing outside this file knows croniter.
"""

from __future__ import annotations

import functools
import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from croniter import CroniterBadDateError, croniter

from syncd.errors import ConfigError
from syncd.schedule.expression import canonical
from syncd.schedule.zone import Change, change_at, first_change, load_zone, offset_at

# The longest wait that an expression can ask for is 40 years: a 29 February on a given weekday.
_MAX_YEARS: Final = 50
# What cron calls a change of daylight saving; a larger one corrects the calendar.
_LONGEST_SHIFT: Final = timedelta(hours=3)
# How far before a fire time `explain` looks for skipped ones: far enough for weekly schedules.
_LOOK_BACK: Final = timedelta(days=8)
_SECOND: Final = timedelta(seconds=1)
_SOME_DAY: Final = datetime(2000, 1, 1)  # noqa: DTZ001 - wall time is naive


class _WallTimes:
    """The naive wall-clock times that a canonical expression names.

    croniter keeps its position in itself, so it is told where to start in every call.
    """

    def __init__(self, expression: str, hash_id: str) -> None:
        self._croniter = croniter(
            expression,
            start_time=_SOME_DAY,
            ret_type=datetime,
            max_years_between_matches=_MAX_YEARS,
            hash_id=hash_id,
            implement_cron_bug=True,  # cron's own rule: a day field with * does not widen the other
            second_at_beginning=True,
        )

    def after(self, wall: datetime) -> datetime:
        """Return the first one strictly after `wall`."""
        return self._croniter.get_next(datetime, start_time=wall)

    def since(self, wall: datetime) -> Iterator[datetime]:
        """Yield them all, from `wall` on and including it."""
        wall -= _SECOND
        while True:
            wall = self.after(wall)
            yield wall


@dataclass(frozen=True, slots=True, kw_only=True)
class CronSchedule:
    """A cron expression in a time zone; made by `parse_cron` only.

    Equal schedules fire alike. `text` is what a person wrote, `expression` its canonical spelling,
    `hash_id` the name that decides an `H` and empty without one.
    """

    expression: str
    timezone: str
    hash_id: str
    text: str = field(compare=False)
    zone: ZoneInfo = field(compare=False, repr=False)
    walls: _WallTimes = field(compare=False, repr=False)

    @property
    def is_fixed(self) -> bool:
        """Tell whether it names times of the day, which changing clocks neither drop nor double."""
        of_day = self.expression.split(" ")[:-3]
        return not any(column.startswith("*") for column in of_day)

    def next_after(self, instant: datetime) -> datetime:
        """Return the first fire time strictly after `instant`; both are aware, the result UTC."""
        instant = instant.astimezone(UTC)
        return self._next_fixed(instant) if self.is_fixed else self._next_in_real_time(instant)

    def explain(self, fire_time: datetime, /) -> str:
        """Say what changing clocks have to do with this fire time; empty if nothing."""
        fire_time = fire_time.astimezone(UTC)
        wall = _wall(self.zone, fire_time)
        repeat = change_at(self.zone, wall)
        if repeat is not None:
            habit = "fixed hour fires once" if self.is_fixed else "fires each time"
            return f"clock repeats {_shown(wall)}; {habit}"
        skipped = self._skipped_before(fire_time)
        return f"clock skips {', '.join(skipped)}" if skipped else ""

    def describe(self) -> str:
        """Say when it fires, as it was written."""
        return f"{self.text} ({self.timezone})"

    def _next_fixed(self, instant: datetime) -> datetime:
        """Resolve one wall time after the other until one has an instant."""
        local = instant.astimezone(self.zone)
        wall = local.replace(tzinfo=None, fold=0)
        change = change_at(self.zone, wall) if local.fold else None
        if change is not None:
            # In the second pass: what stands in it has fired in the first.
            wall = change.wall_before - _SECOND
        while True:
            wall = self.walls.after(wall)
            change = change_at(self.zone, wall)
            if change is None or change.gap < timedelta(0):
                return wall.replace(tzinfo=self.zone).astimezone(UTC)
            if change.gap <= _LONGEST_SHIFT:
                return change.at
            wall = change.wall_after - _SECOND

    def _next_in_real_time(self, instant: datetime) -> datetime:
        """Go from one offset change to the next; between two of them wall time is real time."""
        offset = offset_at(self.zone, instant)
        wall = (instant + offset).replace(tzinfo=None)
        while True:
            found = (self.walls.after(wall) - offset).replace(tzinfo=UTC)
            change = first_change(self.zone, instant, found)
            if change is None:
                return found
            instant, offset, wall = change.at, change.offset_after, change.wall_after - _SECOND

    def _skipped_before(self, fire_time: datetime) -> list[str]:
        """Name the wall times that no clock showed, if this is the first fire time after them."""
        change = self._last_gap(fire_time)
        if change is None or self.next_after(change.at - _SECOND) != fire_time:
            return []
        inside = itertools.takewhile(
            lambda wall: wall < change.wall_after, self.walls.since(change.wall_before)
        )
        shown = [_shown(wall) for wall in itertools.islice(inside, 4)]
        return [*shown[:3], "..."] if len(shown) > 3 else shown

    def _last_gap(self, fire_time: datetime) -> Change | None:
        """Return the change before a fire time, if it skipped something and is not long ago."""
        change = first_change(self.zone, fire_time - _LOOK_BACK, fire_time)
        return change if change is not None and change.gap > timedelta(0) else None


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
    zone = load_zone(timezone)
    hashed = hash_id if "h" in spelled else ""
    if "h" in spelled and not hash_id:
        raise ConfigError(f'schedule {json.dumps(expression)}: "H" needs a job, write a number')
    try:
        walls = _wall_times(spelled, hashed)
    except CroniterBadDateError as exc:
        raise ConfigError(
            f"schedule {json.dumps(expression)}: it never fires, "
            "write a day that one of its months has"
        ) from exc
    return CronSchedule(
        expression=spelled,
        timezone=timezone,
        hash_id=hashed,
        text=" ".join(expression.split()),
        zone=zone,
        walls=walls,
    )


# Ten thousand jobs have a few dozen expressions, and reading one costs more than using it.
@functools.lru_cache(maxsize=1024)
def _wall_times(expression: str, hash_id: str) -> _WallTimes:
    """Return the wall times of an expression that has at least one.

    Raises:
        CroniterBadDateError: it has none.
    """
    walls = _WallTimes(expression, hash_id)
    walls.after(_SOME_DAY)
    return walls


def _wall(zone: ZoneInfo, instant: datetime) -> datetime:
    """Return what the zone's clock shows; naive."""
    return instant.astimezone(zone).replace(tzinfo=None, fold=0)


def _shown(wall: datetime) -> str:
    """Write a wall time as short as it can be."""
    return f"{wall:%H:%M:%S}" if wall.second else f"{wall:%H:%M}"
