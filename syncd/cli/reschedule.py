"""`syncd reschedule`: let a job fire at other times than config.toml says."""

from __future__ import annotations

from dataclasses import dataclass

import click

from syncd.cli import changes
from syncd.cli.base import Command, Exit
from syncd.cli.console import Console
from syncd.errors import BadInput


@dataclass(frozen=True, slots=True, kw_only=True)
class Reschedule(Command):
    """Change when a job fires.

    SCHEDULE is a cron expression in quotes. It counts from now: no time that passed is made up
    for, unless you say --catch-up. It is kept over restarts and stands over config.toml; --reset
    drops everything that was changed of the job, on or off included.
    """

    parameters = (
        changes.JOB,
        click.Argument(["schedule"], required=False, nargs=-1),
        click.Option(["--every"], metavar="TIME", help='So often instead, such as "90m".'),
        click.Option(["--tz"], metavar="ZONE", help="The time zone of the schedule."),
        click.Option(["--reset"], is_flag=True, help="Go back to config.toml."),
        changes.CATCH_UP,
        changes.WHY,
    )
    job: str
    schedule: tuple[str, ...]
    every: str | None
    tz: str | None
    reset: bool
    catch_up: bool
    why: str

    def run(self, console: Console) -> Exit:
        """Order it; what is so already stays so."""
        if len(self.schedule) > 1:
            raise BadInput(
                f"a schedule is one argument, not {len(self.schedule)}",
                hint='write it in quotes: "*/15 * * * *"',
            )
        given = (*self.schedule, self.every, self.tz)
        if not self.reset and not any(given):
            raise BadInput(
                "say when it is to fire", hint='"*/15 * * * *", --every 90m, --tz ZONE or --reset'
            )
        what = {
            "schedule": "".join(self.schedule),
            "every": self.every,
            "timezone": self.tz,
            "reset": self.reset,
            "catch_up": self.catch_up,
            "why": self.why,
        }
        changes.change(console, self.job, what)
        return Exit.OK
