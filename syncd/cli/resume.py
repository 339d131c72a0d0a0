"""`syncd resume`: end a pause."""

from __future__ import annotations

from dataclasses import dataclass

import click

from syncd.cli import scope
from syncd.cli.base import Command, Exit
from syncd.cli.console import Console
from syncd.cli.reach import connect


@dataclass(frozen=True, slots=True, kw_only=True)
class Resume(Command):
    """End a pause.

    Of a platform also one that it asked for itself, and its open breaker; with --credential only
    that, of this credential.
    """

    parameters = (
        *scope.PARAMETERS,
        click.Option(["--credential"], metavar="NAME", help="Of --platform: this one alone."),
    )
    job: str | None
    platform: str | None
    everything: bool
    credential: str | None

    def run(self, console: Console) -> Exit:
        """Order it; resuming what is not paused changes nothing."""
        target = scope.Scope(job=self.job, platform=self.platform, everything=self.everything)
        if self.credential and not self.platform:
            raise click.UsageError(
                "--credential goes with --platform", click.get_current_context(silent=True)
            )
        body = {"credential": self.credential} if self.credential else None
        answer = target.order(connect(console), "resume", body)
        if console.is_json:
            console.show_json(answer)
        elif answer.get("was_paused", True):
            console.show(f"{target} goes on")
        else:
            console.show(f"{target} was not paused")
        if not console.is_json:
            for obstacle in answer.get("lifted", ()):
                console.show(f"lifted: {obstacle}")
            if answer.get("still"):
                console.say("everything is paused still: syncd resume --all")
        return Exit.OK
