"""`syncd tokens list`: how grants stand, and when they end; never a token."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

import click

from syncd.cli.base import Command, Exit
from syncd.cli.console import Console
from syncd.cli.people import iter_grants
from syncd.cli.reach import connect
from syncd.cli.words import NONE, minute
from syncd.web.client import Json

_HEADING = ("USER", "PLATFORM", "STATE", "GRANTED", "ENDS (UTC)", "REFRESHED (UTC)", "REASON")
_STATES = ("ok", "suspect", "dead", "expiring", "active", "reauth_required", "opted_out")


@dataclass(frozen=True, slots=True, kw_only=True)
class TokensList(Command):
    """List grants with their state and their end.

    In the order of their users' keys; times are UTC. suspect: refused once, to be confirmed.
    """

    parameters = (
        click.Option(["--state"], type=click.Choice(_STATES), help="Only those in this state."),
        click.Option(["--limit"], type=click.IntRange(1), default=100, show_default=True),
        click.Option(["--after"], default="", metavar="KEY", help="Begin behind this user."),
    )
    state: str | None
    limit: int
    after: str

    def run(self, console: Console) -> Exit:
        """Ask the daemon, page by page."""
        grants = iter_grants(connect(console), self.after, self.state)
        found = list(islice(grants, self.limit + 1))
        shown = found[: self.limit]
        if console.is_json:
            console.show_json(shown)
        elif shown:
            console.show_table([_HEADING, *map(_row, shown)])
        else:
            console.say("no grants")
        if len(found) > self.limit:
            console.say(f"there are more: --after {shown[-1]['key']}")
        return Exit.OK


def _row(grant: Json) -> tuple[str, ...]:
    return (
        grant["key"],
        grant["platform"],
        grant["health"] if grant["state"] == "active" else grant["state"],
        minute(grant["granted_at"])[:10],
        minute(grant["refresh_expires_at"]),
        minute(grant["refreshed_at"]),
        grant["state_reason"] or NONE,
    )
