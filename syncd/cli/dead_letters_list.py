"""`syncd dead-letters list`: what waits for a person."""

from __future__ import annotations

from dataclasses import dataclass

import click

from syncd.cli.base import Command, Exit
from syncd.cli.console import Console
from syncd.cli.letters import CHOICE
from syncd.cli.reach import connect
from syncd.cli.words import NONE, instant
from syncd.web.client import Json, api_path

_STATES = ("open", "requeued", "resolved", "discarded", "all")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLettersList(Command):
    """List items whose attempts are used up.

    Newest first; times are UTC. `requeue` tries them again, `discard` drops them.
    """

    parameters = (
        *CHOICE,
        click.Option(["--state"], type=click.Choice(_STATES), default="open", show_default=True),
        click.Option(["--limit"], type=click.IntRange(1, 999), default=50, show_default=True),
        click.Option(["--before"], type=click.IntRange(1), metavar="LETTER", help="Older ones."),
    )
    job: str | None
    platform: str | None
    error_class: str | None
    state: str
    limit: int
    before: int | None

    def run(self, console: Console) -> Exit:
        """Ask the daemon."""
        query = {
            "job": self.job,
            "platform": self.platform,
            "error_class": self.error_class,
            "state": self.state,
            "limit": self.limit + 1,  # the one more tells that there are more
            "before": self.before,
        }
        client = connect(console)
        found = client.get(api_path("dead-letters"), query)["dead_letters"]
        shown = found[: self.limit]
        if console.is_json:
            console.show_json(shown)
        elif shown:
            header = ("LETTER", "STATE", "USER", "PLATFORM", "HANDLE", "JOB", "LAST", "ATTEMPTS")
            console.show_table([(*header, "OUTCOME", "ERROR"), *map(_row, shown)])
        else:
            console.say("no dead letters" if self.state == "all" else f"no {self.state} letters")
        if len(found) > self.limit:
            console.say(f"there are more: --before {shown[-1]['id']}")
        return Exit.OK


def _row(letter: Json) -> tuple[str, ...]:
    last = instant(letter["last_at"])
    return (
        str(letter["id"]),
        letter["state"],
        letter["user_key"] or NONE,
        letter["platform"] or NONE,
        letter["handle"] or letter["item_key"],
        letter["job"] or NONE,
        NONE if last is None else f"{last:%Y-%m-%d %H:%M}",
        str(letter["attempts"]),
        letter["error_class"],
        letter["error"],
    )
