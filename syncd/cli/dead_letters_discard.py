"""`syncd dead-letters discard`: do not show them again."""

from __future__ import annotations

from dataclasses import dataclass

from syncd.cli.base import Exit
from syncd.cli.console import Console
from syncd.cli.letters import Decide


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLettersDiscard(Decide):
    """Drop dead letters that nothing is to be done about.

    Their accounts stay as they are; `requeue` with the letter's number takes it back. Repeating it
    changes nothing.
    """

    def run(self, console: Console) -> Exit:
        """Order it."""
        self.order(console, "discard", "discarded")
        return Exit.OK
