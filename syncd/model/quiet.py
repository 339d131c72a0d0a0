"""Quiet hours: when a person is not to be told of anything, by the clock on their wall."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quiet:
    """Every day `begins_at` to `ends_at` in a time zone; it may lie over midnight."""

    timezone: str
    begins_at: time
    ends_at: time

    def until(self, instant: datetime) -> datetime | None:
        """Return when the quiet hours end in which an instant lies; None: it lies in none.

        Where the clock on the wall shows a time twice, the first one counts; where it leaves the
        end out, they end as the clock goes on.
        """
        zone = zone_of(self.timezone)
        local = instant.astimezone(zone)
        # Over midnight the night may have begun the day before.
        for day in (local.date() - _DAY, local.date()):
            last = day if self.begins_at < self.ends_at else day + _DAY
            begin, end = _at(day, self.begins_at, zone), _at(last, self.ends_at, zone)
            if begin <= instant < end:
                return end
        return None


def latest(instant: datetime, hour: int, timezone: str) -> datetime | None:
    """Return when it was `hour` o'clock on the day of an instant; None: it is earlier."""
    zone = zone_of(timezone)
    at = _at(instant.astimezone(zone).date(), time(hour), zone)
    return at if at <= instant else None


def zone_of(name: str) -> ZoneInfo:
    """Return a time zone; UTC where this machine does not know it any more."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")


def _at(day: date, at: time, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, at, zone).astimezone(UTC)
