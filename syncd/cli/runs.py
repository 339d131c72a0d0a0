"""`syncd runs`: what ran, newest first."""

from __future__ import annotations

from dataclasses import dataclass

import click

from syncd.cli.base import Command, Exit
from syncd.cli.console import Console
from syncd.cli.reach import connect
from syncd.cli.words import NONE, cause_in_words, in_words, instant, skip_in_words, tally
from syncd.web.client import Json, api_path


@dataclass(frozen=True, slots=True, kw_only=True)
class Runs(Command):
    """List the newest runs.

    Of one job or of all; times are UTC.
    """

    parameters = (
        click.Argument(["job"], required=False),
        click.Option(["--limit"], type=click.IntRange(1, 500), default=20, show_default=True),
    )
    job: str | None
    limit: int

    def run(self, console: Console) -> Exit:
        """Ask the daemon."""
        answer = connect(console).get(api_path("runs"), {"job": self.job, "limit": self.limit})
        if console.is_json:
            console.show_json(answer["runs"])
        elif answer["runs"]:
            header = ("RUN", "JOB", "BEGAN (UTC)", "CAUSE", "OUTCOME", "TOOK", "ITEMS")
            console.show_table([header, *map(_row, answer["runs"])])
        else:
            console.say("no runs yet")
        return Exit.OK


def _row(run: Json) -> tuple[str, ...]:
    began = instant(run["started_at"] or run["fire_time"] or run["claimed_at"])
    took = run["duration_seconds"]
    return (
        str(run["id"]),
        run["job"],
        NONE if began is None else f"{began:%Y-%m-%d %H:%M}",
        cause_in_words(run),
        run["outcome"],
        NONE if took is None else in_words(took),
        skip_in_words(run) or (tally(run) if run["seen"] else run["error"] or NONE),
    )
