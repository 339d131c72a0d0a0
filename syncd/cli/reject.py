"""`syncd reject`: keep what a plan would delete."""

from __future__ import annotations

from dataclasses import dataclass

import click

from syncd.cli.base import Command, Exit
from syncd.cli.console import Console
from syncd.cli.held import find_plan
from syncd.cli.reach import connect
from syncd.cli.words import counted
from syncd.web.client import api_path


@dataclass(frozen=True, slots=True, kw_only=True)
class Reject(Command):
    """Reject the plan of a number, or the open one of a job.

    Its rows stay, and are not planned again before their users were seen on a board.
    """

    parameters = (
        click.Argument(["which"], metavar="PLAN|JOB"),
        click.Option(["--why"], default="", metavar="TEXT", help="Kept in the audit log."),
    )
    which: str
    why: str

    def run(self, console: Console) -> Exit:
        """Order it."""
        client = connect(console)
        plan = find_plan(client, self.which)
        body = {"why": self.why, "state": plan["state"]}
        answer = client.post(api_path("plans", plan["id"], "reject"), body)
        if console.is_json:
            console.show_json(answer)
        else:
            kept = counted(plan["deletes"], "row")
            console.show(f"plan {plan['id']} of {plan['job']} is rejected, {kept} stay")
            console.say(
                "they are not planned again before their users were seen on a board",
                f"  hint: `syncd approve {plan['id']}` still lets it pass; "
                f"`syncd rehydrate {plan['job']}` gives the rows back to Redis",
            )
        return Exit.OK
