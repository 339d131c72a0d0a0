"""`syncd resume`: end a pause."""

from __future__ import annotations

from dataclasses import dataclass

from syncd.cli import scope
from syncd.cli.base import Command, Exit
from syncd.cli.console import Console
from syncd.cli.reach import connect


@dataclass(frozen=True, slots=True, kw_only=True)
class Resume(Command):
    """End a pause."""

    parameters = scope.PARAMETERS
    job: str | None
    platform: str | None
    everything: bool

    def run(self, console: Console) -> Exit:
        """Order it; resuming what is not paused changes nothing."""
        target = scope.Scope(job=self.job, platform=self.platform, everything=self.everything)
        answer = target.order(connect(console), "resume")
        if console.is_json:
            console.show_json(answer)
        elif answer.get("was_paused", True):
            console.show(f"{target} goes on")
        else:
            console.show(f"{target} was not paused")
        return Exit.OK
