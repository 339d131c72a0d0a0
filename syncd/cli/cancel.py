"""`syncd cancel`: stop a run."""

from __future__ import annotations

from dataclasses import dataclass

import click

from syncd.cli.base import Command, Exit
from syncd.cli.console import Console
from syncd.cli.reach import connect
from syncd.web.client import api_path

_GOING = {"claimed", "running"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel(Command):
    """Stop a run at its next item.

    What it has stored stays; what is left is due again in the next run.
    """

    parameters = (click.Argument(["run_id"], metavar="RUN", type=click.IntRange(1)),)
    run_id: int

    def run(self, console: Console) -> Exit:
        """Order it; cancelling a finished run changes nothing."""
        run = connect(console).post(api_path("runs", self.run_id, "cancel"))
        if console.is_json:
            console.show_json(run)
        elif run["outcome"] in _GOING:
            console.show(f"run {run['id']} of {run['job']} stops at its next item")
        else:
            console.show(f"run {run['id']} of {run['job']} has ended: {run['outcome']}")
        return Exit.OK
