"""`syncd rehydrate`: give Redis back what PostgreSQL has."""

from __future__ import annotations

from dataclasses import dataclass

import click

from syncd.cli.base import Command, Exit
from syncd.cli.console import Console
from syncd.cli.pursuit import finish, pursue
from syncd.cli.reach import ask_job, connect


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehydrate(Command):
    """Fill the boards in Redis from their table, after a flush or a loss.

    Only what is missing there: a score that Redis has is never touched, a board whose time ran out
    stays empty. Repeating it changes nothing.
    """

    parameters = (
        click.Argument(["job"]),
        click.Option(["--dry-run"], is_flag=True, help="Only count."),
    )
    job: str
    dry_run: bool

    def run(self, console: Console) -> Exit:
        """Order it and follow the run that does it."""
        client = connect(console)
        run = ask_job(client, self.job, "rehydrate", {"dry_run": self.dry_run})
        ended = pursue(console, client, run)
        code = finish(console, ended)
        if self.dry_run:
            console.say("nothing was written", f"  hint: syncd rehydrate {self.job}")
        elif ended["created"]:
            console.say(
                f"  hint: `syncd plan {self.job} --full` shows whether both sides agree now"
            )
        return code
