"""When jobs fire, computed here from the configuration; only intervals need the daemon."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Any

from syncd.cli.words import distance
from syncd.errors import BadInput, ConfigError
from syncd.schedule.timetable import Every, Manual, Timetable, fires_between

if TYPE_CHECKING:
    from syncd.config.models import Job

FOREVER = datetime.max.replace(tzinfo=UTC)

AskNext = Callable[[str], datetime | None]
"""Asks for a job's next fire time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """A job's fire times; `job` is empty for an expression that belongs to none."""

    job: str
    timetable: Timetable
    zone: tzinfo
    remark: str = ""
    """What other crons would not read, or read otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fire:
    """One fire time, as it is shown: `at` carries the offset of the job's zone."""

    job: str
    at: datetime
    note: str
    words: str
    """When the job fires, all in all."""

    def as_json(self) -> dict[str, str]:
        """Return it as the contract of `syncd next --json` has it."""
        utc = self.at.astimezone(UTC).replace(tzinfo=None)
        named = {"job": self.job} if self.job else {}
        return {**named, "at": self.at.isoformat(), "utc": f"{utc.isoformat()}Z", "note": self.note}

    def as_row(self, now: datetime) -> tuple[str, ...]:
        """Return it in words: local time, offset, UTC, how far away, what is odd about it."""
        utc = self.at.astimezone(UTC)
        offset = self.at.isoformat()[-6:]
        day = "" if utc.date() == self.at.date() else f"{utc:%Y-%m-%d} "
        return (
            f"{self.at:%Y-%m-%d} {_time(self.at)} {offset}",
            f"{day}{_time(utc)}Z",
            distance(self.at, now),
            f"({self.note})" if self.note else "",
        )


def cron_calendar(job: str, expression: str, timezone: str) -> Calendar:
    """Return the fire times of an expression that somebody typed.

    Raises:
        BadInput: it cannot be read, or never fires; or there is no such zone.
    """
    from syncd.schedule.cron import parse_cron  # noqa: PLC0415 - croniter is heavy

    try:
        schedule = parse_cron(expression, timezone, job)
    except ConfigError as error:
        raise BadInput(*error.problems, hint=error.hint) from error
    return Calendar(job=job, timetable=schedule, zone=schedule.zone, remark=schedule.remark)


def job_calendar(job: str, table: Job, timezone: str, ask_next: AskNext) -> Calendar:
    """Return the fire times of a job of the configuration, in `timezone`.

    Raises:
        DaemonUnreachable: it fires every so often, and only the daemon knows since when.
    """
    if table.schedule:
        return cron_calendar(job, table.schedule, timezone)
    timetable: Timetable = Manual(after=table.after)
    anchor = ask_next(job) if table.every else None
    if table.every and anchor:
        timetable = Every(interval=table.every, anchor=anchor)
    return Calendar(job=job, timetable=timetable, zone=load_zone(timezone))


def as_it_runs(table: Job, running: Mapping[str, Any]) -> Job:
    """Return a job with what the daemon says of it in place of what config.toml says."""
    seconds = running["every_seconds"]
    changed = {
        "enabled": running["enabled"],
        "schedule": running["cron"] or "",
        "every": None if seconds is None else timedelta(seconds=seconds),
        "timezone": running["timezone"],
    }
    return table.model_copy(update=changed)


def load_zone(name: str) -> tzinfo:
    """Return a time zone that somebody typed.

    Raises:
        BadInput: there is none of that name.
    """
    from syncd.schedule import zone  # noqa: PLC0415 - used by one command

    try:
        return zone.load_zone(name)
    except ConfigError as error:
        raise BadInput(*error.problems) from error


def fires(calendars: Iterable[Calendar], start: datetime, end: datetime, count: int) -> list[Fire]:
    """Return the first `count` fire times after `start` up to `end`, of all calendars together."""
    found = [
        Fire(
            job=calendar.job,
            at=at.astimezone(calendar.zone),
            note=calendar.timetable.explain(at),
            words=words,
        )
        for calendar in calendars
        for words in [calendar.timetable.describe()]
        for at in fires_between(calendar.timetable, start, end, count)
    ]
    return sorted(found, key=lambda fire: fire.at.astimezone(UTC))[:count]


def _time(at: datetime) -> str:
    return f"{at:%H:%M:%S}" if at.second else f"{at:%H:%M}"
