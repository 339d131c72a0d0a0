"""`syncd pause`: leave something alone for a while."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import datetime

import click

from syncd.cli import scope
from syncd.cli.base import Command, Exit
from syncd.cli.console import Console
from syncd.cli.instants import parse_instant
from syncd.cli.reach import connect, known_job
from syncd.telemetry.render import escape
from syncd.web.client import ControlClient, api_path


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause(Command):
    """Keep a job from starting.

    Or every job, or all work on one platform; until resumed, or until a time. It is kept over
    restarts. A job that another one covers needs a reason.
    """

    parameters = (
        *scope.PARAMETERS,
        click.Option(
            ["--until"],
            metavar="WHEN",
            help='A date and time (of this machine, unless it has an offset), or "2h", "1d".',
        ),
        click.Option(["--why"], default="", metavar="TEXT", help="Shown in status."),
    )
    job: str | None
    platform: str | None
    everything: bool
    until: str | None
    why: str

    def run(self, console: Console) -> Exit:
        """Order it."""
        target = scope.Scope(job=self.job, platform=self.platform, everything=self.everything)
        until = None if self.until is None else _end(self.until)
        client = connect(console)
        body = {
            "why": self.why or self._reason(client),
            "until": None if until is None else until.isoformat(),
        }
        answer = target.order(client, "pause", body)
        if console.is_json:
            console.show_json(answer)
        else:
            end = "until resumed" if until is None else f"until {until:%Y-%m-%d %H:%M} UTC"
            console.show(f"{target} is paused {end}; what runs waits at its next item")
        return Exit.OK

    def _reason(self, client: ControlClient) -> str:
        """Ask whoever sits at the terminal for a reason where one is needed."""
        if not self.job or not sys.stdin.isatty():
            return ""
        with known_job(client, self.job):
            others = client.get(api_path("jobs", self.job)).get("covered_by")
        if not others:
            return ""
        names = ", ".join(map(escape, others))
        click.echo(f"{escape(self.job)} and {names} stand in for each other", err=True)
        try:
            reason: str = click.prompt("why is it paused", err=True)
        except click.Abort as error:
            raise KeyboardInterrupt from error
        return reason


def _end(text: str) -> datetime:
    from syncd.clock import SystemClock  # noqa: PLC0415 - most pauses have no end
    from syncd.config.duration import parse_duration  # noqa: PLC0415 - pydantic is heavy

    try:
        return SystemClock().now() + parse_duration(text)
    except (ValueError, OverflowError):
        return parse_instant(text, zone=None)
