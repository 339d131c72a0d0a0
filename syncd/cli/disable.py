"""`syncd disable`: keep a job from firing."""

from __future__ import annotations

from dataclasses import dataclass

from syncd.cli import changes
from syncd.cli.base import Command, Exit
from syncd.cli.console import Console


@dataclass(frozen=True, slots=True, kw_only=True)
class Disable(Command):
    """Switch a job off.

    What runs goes on, and it can still be triggered. It is kept over restarts and stands over
    config.toml; `pause` is for a while, this is for good.
    """

    parameters = (changes.JOB, changes.WHY)
    job: str
    why: str

    def run(self, console: Console) -> Exit:
        """Order it; what is off already stays so."""
        changes.change(console, self.job, {"enabled": False, "why": self.why})
        return Exit.OK
