"""`syncd enable`: let a job fire again."""

from __future__ import annotations

from dataclasses import dataclass

from syncd.cli import changes
from syncd.cli.base import Command, Exit
from syncd.cli.console import Console


@dataclass(frozen=True, slots=True, kw_only=True)
class Enable(Command):
    """Switch a job on.

    What passed while it was off is forgotten, unless you say --catch-up. It is kept over restarts
    and stands over config.toml.
    """

    parameters = (changes.JOB, changes.CATCH_UP, changes.WHY)
    job: str
    catch_up: bool
    why: str

    def run(self, console: Console) -> Exit:
        """Order it; what is on already stays so."""
        what = {"enabled": True, "catch_up": self.catch_up, "why": self.why}
        changes.change(console, self.job, what)
        return Exit.OK
