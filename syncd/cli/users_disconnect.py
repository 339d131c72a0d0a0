"""`syncd users disconnect`: a user takes back what they granted."""

from __future__ import annotations

from dataclasses import dataclass

import click

from syncd.cli.base import Command, Exit
from syncd.cli.console import Console
from syncd.cli.reach import connect
from syncd.cli.words import counted
from syncd.web.client import Json, api_path


@dataclass(frozen=True, slots=True, kw_only=True)
class UsersDisconnect(Command):
    """Disconnect a platform that a user granted access to.

    The tokens go first, running work stops at its next item. What the user listened to is kept
    unless it is to be forgotten. Safe to repeat.
    """

    parameters = (
        click.Argument(["key"]),
        click.Argument(["platform"]),
        click.Option(["--forget-history"], is_flag=True, help="Also delete what they listened to."),
    )
    key: str
    platform: str
    forget_history: bool

    def run(self, console: Console) -> Exit:
        """Order it."""
        history = "forget" if self.forget_history else "keep"
        path = api_path("users", self.key, "tokens", self.platform)
        answer = connect(console).delete(path, {"history": history})
        if console.is_json:
            console.show_json(answer)
        else:
            console.show(_in_words(answer))
        return Exit.OK


def _in_words(answer: Json) -> str:
    how = "disconnected" if answer["disconnected"] else "not connected"
    history = "the history is kept"
    if answer["history"] == "forgotten":
        history = f"{counted(answer['plays_forgotten'], 'play')} forgotten"
    return f"user {answer['key']}: {answer['platform']} {how}, {history}"
