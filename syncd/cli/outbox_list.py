"""`syncd outbox list`: what was told to whom, and what was not."""

from __future__ import annotations

from dataclasses import dataclass

import click

from syncd.cli.base import Command, Exit
from syncd.cli.console import Console
from syncd.cli.reach import connect
from syncd.cli.words import NONE, instant, told_of
from syncd.web.client import Json, api_path

_STATES = ("open", "pending", "sending", "sent", "failed", "unknown", "expired", "dropped", "all")


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxList(Command):
    """List deliveries.

    Newest first; times are UTC. Without --state those that were not delivered and may be yet: of an
    `unknown` one nobody knows whether it arrived. `retry` sends them once more, `drop` never.
    """

    parameters = (
        click.Option(["--state"], type=click.Choice(_STATES), default="open", show_default=True),
        click.Option(["--channel"], metavar="NAME", help="Over this channel."),
        click.Option(["--user"], metavar="KEY", help="To this user."),
        click.Option(["--limit"], type=click.IntRange(1, 999), default=50, show_default=True),
        click.Option(["--before"], type=click.IntRange(1), metavar="ID", help="Older ones."),
    )
    state: str
    channel: str | None
    user: str | None
    limit: int
    before: int | None

    def run(self, console: Console) -> Exit:
        """Ask the daemon."""
        query = {
            "state": self.state,
            "channel": self.channel,
            "user": self.user,
            "limit": self.limit + 1,  # the one more tells that there are more
            "before": self.before,
        }
        found = connect(console).get(api_path("outbox"), query)["deliveries"]
        shown = found[: self.limit]
        if console.is_json:
            console.show_json(shown)
        elif shown:
            header = ("ID", "STATE", "USER", "CHANNEL", "ADDRESS", "WHAT", "CONTEST", "STARTS")
            console.show_table([(*header, "ATTEMPTS", "ERROR"), *map(_row, shown)])
        else:
            console.say("no deliveries" if self.state == "all" else f"no {self.state} deliveries")
        if len(found) > self.limit:
            console.say(f"there are more: --before {shown[-1]['id']}")
        return Exit.OK


def _row(delivery: Json) -> tuple[str, ...]:
    starts = instant(delivery["starts_at"])
    return (
        str(delivery["id"]),
        delivery["state"],
        delivery["user_key"] or NONE,
        delivery["channel"],
        delivery["address"] or NONE,
        told_of(delivery),
        f"{delivery['platform']} {delivery['contest_name']}"[:60],
        NONE if starts is None else f"{starts:%Y-%m-%d %H:%M}",
        str(delivery["attempts"]),
        delivery["error"] or NONE,
    )
