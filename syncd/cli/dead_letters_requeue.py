"""`syncd dead-letters requeue`: try them again."""

from __future__ import annotations

from dataclasses import dataclass

from syncd.cli import letters
from syncd.cli.base import Command, Exit
from syncd.cli.console import Console


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLettersRequeue(Command):
    """Try items again whose attempts are used up.

    Their accounts are followed again and due with the next run: a good answer settles the letter,
    the next failure opens it again. Repeating it changes nothing.
    """

    parameters = letters.PARAMETERS
    numbers: tuple[int, ...]
    job: str | None
    platform: str | None
    error_class: str | None
    everything: bool

    def run(self, console: Console) -> Exit:
        """Order it."""
        choice = letters.Choice(
            numbers=self.numbers,
            job=self.job,
            platform=self.platform,
            error_class=self.error_class,
            everything=self.everything,
        )
        if choice.order(console, "requeue", "requeued") and not console.is_json:
            console.say("the next run asks for them; `syncd trigger JOB` starts one now")
        return Exit.OK
