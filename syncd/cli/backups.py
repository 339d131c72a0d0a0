"""`syncd backups`: copies of a table from before large changes."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

import click

from syncd.cli.base import Command, Exit
from syncd.cli.console import Console
from syncd.cli.reach import connect, known_job
from syncd.cli.words import minute
from syncd.web.client import Json, api_path

_HEADER = ("BACKUP", "JOB", "RUN", "TAKEN (UTC)", "ROWS", "OF", "IN", "KEPT UNTIL")


@dataclass(frozen=True, slots=True, kw_only=True)
class Backups(Command):
    """List the copies that were taken before large changes.

    Newest first; `restore` puts one back.
    """

    parameters = (click.Argument(["job"], required=False),)
    job: str | None

    def run(self, console: Console) -> Exit:
        """Ask the daemon."""
        client = connect(console)
        with known_job(client, self.job) if self.job else contextlib.nullcontext():
            found = client.get(api_path("backups"), {"job": self.job})["backups"]
        if console.is_json:
            console.show_json(found)
        elif found:
            console.show_table([_HEADER, *map(_row, found)])
        else:
            console.say("no backups")
        return Exit.OK


def _row(backup: Json) -> tuple[str, ...]:
    return (
        str(backup["id"]),
        backup["job"],
        str(backup["run_id"]),
        minute(backup["taken_at"]),
        f"{backup['rows']:,}",
        backup["target"],
        backup["table_name"],
        minute(backup["expires_at"]),
    )
