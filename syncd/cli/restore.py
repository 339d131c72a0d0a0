"""`syncd restore`: put a backup of a table back."""

from __future__ import annotations

from dataclasses import dataclass

import click

from syncd.cli.base import Command, Exit
from syncd.cli.console import Console
from syncd.cli.pursuit import finish, pursue
from syncd.cli.reach import connect
from syncd.web.client import api_path


@dataclass(frozen=True, slots=True, kw_only=True)
class Restore(Command):
    """Put a backup back.

    Its rows are written where they are missing or different; rows that came later stay. Repeating
    it changes nothing.
    """

    parameters = (click.Argument(["backup"], type=click.IntRange(1)),)
    backup: int

    def run(self, console: Console) -> Exit:
        """Order it and follow the run that does it."""
        client = connect(console)
        ended = pursue(console, client, client.post(api_path("backups", self.backup, "restore")))
        return finish(console, ended)
