"""`syncd version`: which syncd this is."""

from __future__ import annotations

import platform
from dataclasses import dataclass

from syncd import __version__
from syncd.cli.base import Command, Exit
from syncd.cli.console import Console


@dataclass(frozen=True, slots=True, kw_only=True)
class Version(Command):
    """Show which syncd this is."""

    def run(self, console: Console) -> Exit:
        """Say it."""
        if console.is_json:
            console.show_json({"version": __version__, "python": platform.python_version()})
        else:
            console.show(f"syncd {__version__}")
        return Exit.OK
