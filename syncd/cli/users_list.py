"""`syncd users list`: whom syncd follows, and how that goes."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

import click

from syncd.cli.base import Command, Exit
from syncd.cli.console import Console
from syncd.cli.people import iter_users
from syncd.cli.reach import connect
from syncd.cli.words import NONE, instant
from syncd.web.client import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class UsersList(Command):
    """List users with their accounts.

    In the order of their keys.
    """

    parameters = (
        click.Option(["--limit"], type=click.IntRange(1), default=100, show_default=True),
        click.Option(["--after"], default="", metavar="KEY", help="Begin behind this key."),
    )
    limit: int
    after: str

    def run(self, console: Console) -> Exit:
        """Ask the daemon, page by page."""
        found = list(islice(iter_users(connect(console), self.after), self.limit + 1))
        shown = found[: self.limit]
        if console.is_json:
            console.show_json(shown)
        elif shown:
            header = ("USER", "PLATFORM", "HANDLE", "STATE", "FRESH AT (UTC)", "ERROR")
            console.show_table([header, *(row for user in shown for row in _rows(user))])
        else:
            console.say("no users")
        if len(found) > self.limit:
            console.say(f"there are more: --after {shown[-1]['key']}")
        return Exit.OK


def _rows(user: Json) -> list[tuple[str, ...]]:
    accounts = user["accounts"]
    if not accounts:
        return [(user["key"], NONE, NONE, "opted_out" if user["opted_out"] else NONE, NONE, NONE)]
    return [
        (
            user["key"],
            account["platform"],
            account["handle"],
            account["state"],
            _fresh_at(account),
            account["error"] or NONE,
        )
        for account in accounts
    ]


def _fresh_at(account: Json) -> str:
    at = instant(account["fresh_at"])
    return NONE if at is None else f"{at:%Y-%m-%d %H:%M}"
