"""`syncd next`: when jobs fire, in their zone, in UTC, and with what changing clocks do to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from syncd.cli.base import Command, Exit
from syncd.cli.console import Console
from syncd.cli.fire_times import (
    FOREVER,
    Calendar,
    Fire,
    as_it_runs,
    cron_calendar,
    fires,
    job_calendar,
    load_zone,
)
from syncd.cli.instants import parse_end, parse_start
from syncd.cli.reach import connect, load, running_jobs, unknown_job
from syncd.cli.words import difference_in_words, instant
from syncd.errors import BadInput
from syncd.web.client import DaemonUnreachable, Json, api_path

if TYPE_CHECKING:
    from syncd.config.models import Job

_DEFAULT_COUNT = 10
_MOST = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Next(Command):
    """Show the next fire times.

    Of one job, of all, or of an expression that you consider (for JOB, if it is given as well).
    """

    parameters = (
        click.Argument(["job"], required=False),
        click.Option(["--schedule"], metavar="EXPR", help="A cron expression."),
        click.Option(["--from", "start"], metavar="WHEN", help="After this; a bare day: from it."),
        click.Option(["--until"], metavar="WHEN", help="Up to this; a bare day: to its end."),
        click.Option(["--tz"], metavar="ZONE", help="The time zone, instead of the job's."),
        click.Option(["--count"], type=click.IntRange(1, _MOST), help="How many, 10 if not said."),
    )
    job: str | None
    schedule: str | None
    start: str | None
    until: str | None
    tz: str | None
    count: int | None

    def run(self, console: Console) -> Exit:
        """Compute them; the daemon is asked only for jobs that fire every so often."""
        from syncd.clock import SystemClock  # noqa: PLC0415 - asyncio is heavy

        now = SystemClock().now()
        calendars = self._calendars(console)
        found = self._fires(calendars, now)
        console.say(*(calendar.remark for calendar in calendars if calendar.remark))
        if len(found) == _MOST:
            console.say(f"these are the first {_MOST:,}, go on with --from")
        if console.is_json:
            console.show_json([fire.as_json() for fire in found])
        else:
            self._show(console, calendars, found, now)
        return Exit.OK

    def _show(
        self, console: Console, calendars: list[Calendar], found: list[Fire], now: datetime
    ) -> None:
        """Show fire times as text: of one timetable below its words, of several with theirs."""
        if self.job is None and self.schedule is None:
            rows = [(fire.job, *fire.as_row(now), fire.words) for fire in found]
        else:
            console.show(*(calendar.timetable.describe() for calendar in calendars))
            rows = [fire.as_row(now) for fire in found]
        if rows:
            console.show_table(rows)
        else:
            console.say("nothing fires in that time")

    def _fires(self, calendars: list[Calendar], now: datetime) -> list[Fire]:
        zone = calendars[0].zone if calendars else UTC
        zone = zone if self.tz is None else load_zone(self.tz)
        start = parse_start(self.start, zone) if self.start else now
        end = parse_end(self.until, zone) if self.until else FOREVER
        if end <= start:
            begin = f"--from {self.start}" if self.start else "now"
            raise BadInput(
                f"--until {self.until} is not later than {begin}",
                hint="write the earlier one behind --from",
            )
        return fires(calendars, start, end, self.count or (_MOST if self.until else _DEFAULT_COUNT))

    def _calendars(self, console: Console) -> list[Calendar]:
        if self.schedule is not None:
            own = self._job(console).timezone if self.job else "UTC"
            return [cron_calendar(self.job or "", self.schedule, self._zone(own))]
        if self.job is not None:
            table = self._changed(console, self.job, self._job(console), running_jobs(console))
            if not table.enabled:
                console.say(f"{self.job} is switched off")
            return [self._calendar(console, self.job, table)]
        running = running_jobs(console)
        jobs = load(console).jobs.items()
        return self._of_all(
            console, {name: self._changed(console, name, table, running) for name, table in jobs}
        )

    def _changed(self, console: Console, name: str, table: Job, running: Mapping[str, Json]) -> Job:
        """Return a job as it runs, where somebody changed it over config.toml, and say so."""
        found = running.get(name, {}).get("differs_from_config", ())
        for each in found:
            console.say(f"{name} differs from config.toml: {difference_in_words(each)}")
        if not any(each["key"] != "paused" for each in found):
            return table
        return as_it_runs(table, running[name])

    def _job(self, console: Console) -> Job:
        assert self.job is not None
        jobs = load(console).jobs
        if self.job not in jobs:
            raise unknown_job(self.job, list(jobs))
        return jobs[self.job]

    def _of_all(self, console: Console, jobs: Mapping[str, Job]) -> list[Calendar]:
        calendars = []
        for name, table in jobs.items():
            try:
                calendars += [self._calendar(console, name, table)] if table.enabled else []
            except DaemonUnreachable as error:
                console.say(f"left out: {error}")
        return calendars

    def _calendar(self, console: Console, name: str, table: Job) -> Calendar:
        def ask_next(job: str) -> datetime | None:
            try:
                return instant(connect(console).get(api_path("jobs", job))["next_fire_time"])
            except DaemonUnreachable as error:
                raise DaemonUnreachable(
                    f"{job} fires every so often, and only the running daemon knows since when: "
                    f"{error}",
                    hint=error.hint,
                ) from error

        return job_calendar(name, table, self._zone(table.timezone), ask_next)

    def _zone(self, own: str) -> str:
        return own if self.tz is None else self.tz
