"""`syncd plans`: what waits for a person, and what became of the rest."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import click

from syncd.cli.base import Command, Exit
from syncd.cli.console import Console
from syncd.cli.held import list_plans, weight
from syncd.cli.reach import connect
from syncd.cli.words import NONE, minute, part_in_words
from syncd.web.client import Json, api_path

_STATES = ("held", "approved", "rejected", "applied", "expired", "replaced", "all")
_HEADER = ("PLAN", "STATE", "JOB", "RUN", "DELETES", "UPDATES", "OF", "SHARE", "HARD", "EXPIRES")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plans(Command):
    """List plans, or show one with its rows.

    Newest first; times are UTC. A plan is what a run found and did not dare: `approve` lets it
    pass, `reject` keeps its rows.
    """

    parameters = (
        click.Argument(["which"], metavar="[JOB|PLAN]", required=False),
        click.Option(["--state"], type=click.Choice(_STATES), default="all", show_default=True),
        click.Option(["--limit"], type=click.IntRange(1, 500), default=20, show_default=True),
    )
    which: str | None
    state: str
    limit: int

    def run(self, console: Console) -> Exit:
        """Ask the daemon."""
        client = connect(console)
        if self.which and self.which.isascii() and self.which.isdecimal():
            return _show_one(console, client.get(api_path("plans", int(self.which))))
        state = None if self.state == "all" else self.state
        found = list_plans(client, self.which, state, self.limit)
        if console.is_json:
            console.show_json(found)
        elif found:
            console.show_table([_HEADER, *map(_row, found)])
        else:
            console.say("no plans" if self.state == "all" else f"no {self.state} plans")
        return Exit.OK


def _row(plan: Json) -> tuple[str, ...]:
    return (
        str(plan["id"]),
        plan["state"],
        plan["job"],
        str(plan["run_id"]),
        f"{plan['deletes']:,}",
        f"{plan['updates']:,}" if plan["holds_updates"] else NONE,
        f"{plan['base']:,}",
        part_in_words(plan["deletes"], plan["base"]),
        "yes" if plan["is_hard"] else "no",
        minute(plan["expires_at"]) if plan["state"] == "held" else NONE,
    )


def _show_one(console: Console, plan: Json) -> Exit:
    if console.is_json:
        console.show_json(plan)
        return Exit.OK
    console.show_table(list(_facts(plan)))
    rows = plan["rows"]
    if rows:
        console.show("", *rows)
    if plan["deletes"] > len(rows):
        console.say(f"the first {len(rows):,} of {plan['deletes']:,}")
    return Exit.OK


def _facts(plan: Json) -> Iterator[tuple[str, str]]:
    yield "plan", f"{plan['id']} of {plan['job']}, by run {plan['run_id']}"
    yield "state", plan["state"]
    yield "would", weight(plan)
    yield from (("because", reason) for reason in plan["reasons"])
    if plan["is_hard"]:
        yield "hard", "only `approve --deletes N`, with the number of deletions typed, lets it pass"
    yield "digest", plan["digest"]
    yield "created", minute(plan["created_at"])
    if plan["state"] == "held":
        yield "expires", minute(plan["expires_at"])
    if plan["decided_at"]:
        yield "decided", f"{minute(plan['decided_at'])} by {plan['decided_by']}"
