"""`syncd dead-letters discard`: do not show them again."""

from __future__ import annotations

from dataclasses import dataclass

from syncd.cli import letters
from syncd.cli.base import Command, Exit
from syncd.cli.console import Console


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLettersDiscard(Command):
    """Drop dead letters that nothing is to be done about.

    Their accounts stay as they are; `requeue` with the letter's number takes it back. Repeating it
    changes nothing.
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
        choice.order(console, "discard", "discarded")
        return Exit.OK
