"""`syncd config show`: what syncd made of the config file."""

from __future__ import annotations

from dataclasses import dataclass

from syncd.cli.base import Command, Exit
from syncd.cli.console import Console
from syncd.cli.reach import load
from syncd.cli.toml import to_toml


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigShow(Command):
    """Show the configuration in use.

    With every default and variable filled in, and *** for every secret.
    """

    def run(self, console: Console) -> Exit:
        """Load it; the daemon is not asked."""
        tables = load(console).redacted()
        if console.is_json:
            console.show_json(tables)
        else:
            console.show(*to_toml(tables))
        return Exit.OK
