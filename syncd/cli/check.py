"""`syncd check`: everything that is wrong with the configuration, or what it says."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from syncd.cli.base import Command, Exit
from syncd.cli.console import Console
from syncd.cli.fire_times import job_calendar
from syncd.cli.reach import load
from syncd.cli.words import clock_time, distance, zone_of
from syncd.errors import ConfigError

if TYPE_CHECKING:
    from syncd.config.models import Config, Job


@dataclass(frozen=True, slots=True, kw_only=True)
class Check(Command):
    """Check the configuration.

    Names every problem with its line (exit code 5), or every job with its schedule.
    """

    def run(self, console: Console) -> Exit:
        """Load it; the daemon is not asked."""
        try:
            config = load(console)
        except ConfigError as error:
            if not console.is_json:
                raise
            console.show_json({"ok": False, "problems": list(error.problems), "jobs": []})
            return Exit.CONFIG
        _show(console, config)
        return Exit.OK


def _show(console: Console, config: Config) -> None:
    from syncd.clock import SystemClock  # noqa: PLC0415 - asyncio is heavy

    now = SystemClock().now()
    jobs = [_described(name, table, now) for name, table in config.jobs.items()]
    if console.is_json:
        console.show_json({"ok": True, "problems": [], "jobs": jobs})
        return
    if jobs:
        console.show_table([_row(job, now) for job in jobs])
    console.say(*(f"{job['name']}: {job['remark']}" for job in jobs if job["remark"]))
    console.say(f"{config.path} is right")


def _described(name: str, table: Job, now: datetime) -> dict[str, Any]:
    calendar = job_calendar(name, table, table.timezone, lambda _job: now)
    is_known = table.enabled and not table.every
    return {
        "name": name,
        "kind": table.kind,
        "schedule": calendar.timetable.describe(),
        "timezone": table.timezone,
        "enabled": table.enabled,
        "remark": calendar.remark,
        # When an interval fires next, the daemon knows.
        "next_fire_time": calendar.timetable.next_after(now) if is_known else None,
    }


def _row(job: dict[str, Any], now: datetime) -> tuple[str, ...]:
    at = job["next_fire_time"]
    shown = at and f"next {clock_time(at, zone_of(job['timezone']), now)} ({distance(at, now)})"
    return ("ok" if job["enabled"] else "off", job["name"], job["schedule"], shown or "")
