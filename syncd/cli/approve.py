"""`syncd approve`: let a plan pass."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import click

from syncd.cli.base import Command, Exit
from syncd.cli.console import Console
from syncd.cli.held import find_plan, weight
from syncd.cli.pursuit import exit_of, pursue, show_end
from syncd.cli.reach import connect
from syncd.errors import BadInput
from syncd.telemetry.render import escape
from syncd.web.client import ControlClient, Json, api_path

_UNDECIDED = {"held", "rejected"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Approve(Command):
    """Approve the plan of a number, or the open one of a job.

    What is shown is what is approved: a plan of other rows is refused. A run starts at once and
    deletes who is still missing in Redis then. A plan beyond a hard stop takes the number of its
    deletions, typed.
    """

    parameters = (
        click.Argument(["which"], metavar="PLAN|JOB"),
        click.Option(
            ["--deletes"],
            type=click.IntRange(0),
            metavar="N",
            help="How many rows it deletes, for a plan beyond a hard stop.",
        ),
        click.Option(["--yes", "-y"], is_flag=True, help="Do not ask on a terminal."),
        click.Option(["--follow", "-f"], is_flag=True, help="Show the run until its end."),
    )
    which: str
    deletes: int | None
    yes: bool
    follow: bool

    def run(self, console: Console) -> Exit:
        """Show it, ask, order it."""
        client = connect(console)
        plan = find_plan(client, self.which)
        if plan["is_hard"] and self.deletes is None and plan["state"] in _UNDECIDED:
            raise BadInput(
                f"plan {plan['id']} is beyond a hard stop: it takes --deletes N, "
                "with the number of its deletions typed",
                hint=f"`syncd plans {plan['id']}` tells the number, and why it was held",
            )
        _describe(console, plan)
        if plan["state"] in _UNDECIDED and not self.yes and not _agrees(plan):
            console.say("nothing was approved")
            return Exit.FAILED
        body: Json = {
            "digest": plan["digest"],
            "deletes": self.deletes,
            "state": plan["state"],
        }
        answer = client.post(api_path("plans", plan["id"], "approve"), body)
        return self._finish(console, client, answer)

    def _finish(self, console: Console, client: ControlClient, answer: Json) -> Exit:
        """Tell what was decided, and what the run that it started comes to."""
        plan, note = answer["plan"], answer["note"]
        if not console.is_json:
            console.show(f"plan {plan['id']} is {plan['state']}")
        if note:
            console.say(f"  {note}", f"  hint: syncd trigger {plan['job']} --full --follow")
        run = None if note else answer["run"]
        ended = pursue(console, client, run) if run and self.follow else None
        if console.is_json:
            console.show_json({**answer, "run": ended or answer["run"]})
        elif ended:
            show_end(console, ended)
            if ended["deleted"]:
                console.say(f"  hint: `syncd undo {ended['id']}` takes the deletions back")
        elif run:
            console.say(f"run {run['id']} applies it", f"  hint: syncd show {run['id']}")
        return exit_of(ended) if ended else Exit.OK


def _describe(console: Console, plan: Json) -> None:
    """Tell what would be approved."""
    state = "" if plan["state"] == "held" else f", which is {plan['state']},"
    console.say(f"plan {plan['id']} of {plan['job']}{state} would {weight(plan)}")
    console.say(*(f"  {reason}" for reason in plan["reasons"]), f"  digest {plan['digest']}")


def _agrees(plan: Json) -> bool:
    """Ask whoever sits at the terminal; where nobody does, the command itself is the answer."""
    if not sys.stdin.isatty():
        return True
    try:
        return click.confirm(f"{escape(weight(plan).partition(' (')[0])}?", err=True)
    except click.Abort as error:
        raise KeyboardInterrupt from error
