"""`syncd undo`: take the deletions of a run back."""

from __future__ import annotations

from dataclasses import dataclass

import click

from syncd.cli.base import Command, Exit
from syncd.cli.console import Console
from syncd.cli.pursuit import finish, pursue
from syncd.cli.reach import connect
from syncd.web.client import api_path


@dataclass(frozen=True, slots=True, kw_only=True)
class Undo(Command):
    """Put the rows back that a run deleted.

    As they were; a row that is there again stays as it is.
    """

    parameters = (click.Argument(["run_id"], metavar="RUN", type=click.IntRange(1)),)
    run_id: int

    def run(self, console: Console) -> Exit:
        """Order it and follow the run that does it."""
        client = connect(console)
        ended = pursue(console, client, client.post(api_path("runs", self.run_id, "undo")))
        return finish(console, ended)
