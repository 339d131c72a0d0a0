"""`syncd users opt-out`: leave somebody alone."""

from __future__ import annotations

from dataclasses import dataclass

import click

from syncd.cli.base import Command, Exit
from syncd.cli.console import Console
from syncd.cli.reach import connect
from syncd.web.client import api_path


@dataclass(frozen=True, slots=True, kw_only=True)
class UsersOptOut(Command):
    """Stop following a user.

    From the next item on, in running work too. What is stored stays.
    """

    parameters = (
        click.Argument(["key"]),
        click.Option(["--undo"], is_flag=True, help="Follow them again."),
    )
    key: str
    undo: bool

    def run(self, console: Console) -> Exit:
        """Order it."""
        path = api_path("users", self.key, "opt-out")
        user = connect(console).post(path, {"opted_out": not self.undo})
        if console.is_json:
            console.show_json(user)
        else:
            how = "is followed again" if self.undo else "opted out and is left alone"
            console.show(f"user {self.key} {how}")
        return Exit.OK
