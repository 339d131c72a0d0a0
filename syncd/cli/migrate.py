"""`syncd migrate`: bring the database's schema up to date."""

from __future__ import annotations

from dataclasses import dataclass

import click

from syncd.cli.base import Command, Exit
from syncd.cli.console import Console
from syncd.cli.reach import load


@dataclass(frozen=True, slots=True, kw_only=True)
class Migrate(Command):
    """Bring the database schema up to date.

    The daemon does it at its start as well.
    """

    parameters = (click.Option(["--dry-run"], is_flag=True, help="Only name what is missing."),)
    dry_run: bool

    def run(self, console: Console) -> Exit:
        """Migrate, embedded server included."""
        config = load(console)
        from syncd.daemon.foreground import migrate_once  # noqa: PLC0415 - heavy

        names = migrate_once(config, self.dry_run)
        if console.is_json:
            console.show_json({"dry_run": self.dry_run, "migrations": names})
        elif names:
            word = "missing" if self.dry_run else "applied"
            console.show(*(f"{word}  {name}" for name in names))
        else:
            console.show("the schema is up to date")
        return Exit.OK
