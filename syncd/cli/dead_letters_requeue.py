"""`syncd dead-letters requeue`: try them again."""

from __future__ import annotations

from dataclasses import dataclass

from syncd.cli.base import Exit
from syncd.cli.console import Console
from syncd.cli.letters import Decide


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLettersRequeue(Decide):
    """Try items again whose attempts are used up.

    Their accounts are followed again and due with the next run: a good answer settles the letter,
    the next failure opens it again. Repeating it changes nothing.
    """

    def run(self, console: Console) -> Exit:
        """Order it."""
        if self.order(console, "requeue", "requeued") and not console.is_json:
            console.say("the next run asks for them; `syncd trigger JOB` starts one now")
        return Exit.OK
