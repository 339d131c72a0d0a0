"""`syncd tokens rotate-key`: seal every token with a new key."""

from __future__ import annotations

from dataclasses import dataclass

from syncd.cli.base import Command, Exit
from syncd.cli.console import Console
from syncd.cli.reach import connect
from syncd.cli.words import counted
from syncd.web.client import Json, api_path

# The daemon itself gives up a little earlier.
_PATIENCE_SECONDS = 610.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TokensRotateKey(Command):
    """Add a key to the key file and seal every token with it.

    Says which old keys are in use no more: their lines may go. Cut off, it goes on when it is
    called again. Where the key file is not syncd's to write, add a line to it and call this.
    """

    def run(self, console: Console) -> Exit:
        """Order it."""
        client = connect(console, timeout_seconds=_PATIENCE_SECONDS)
        answer = client.post(api_path("tokens", "rotate-key"))
        if console.is_json:
            console.show_json(answer)
        else:
            console.show(*_in_words(answer))
        return Exit.OK


def _in_words(answer: Json) -> list[str]:
    sealed = f"{counted(answer['resealed'], 'grant')} sealed with {answer['key_id']}"
    words = [f"{sealed}{', a new key' if answer['is_new'] else ''}"]
    words += [f"no longer in use: {', '.join(answer['unused'])}"] if answer["unused"] else []
    left = [f"{counted(count, 'grant')} of {key_id}" for key_id, count in answer["left"].items()]
    return [*words, *([f"cannot be opened: {', '.join(left)}"] if left else [])]
