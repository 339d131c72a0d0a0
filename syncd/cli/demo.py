"""`syncd demo`: everything at work on this machine, against stand-ins for all platforms."""

from __future__ import annotations

import dataclasses
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from syncd.cli.base import Command, Exit
from syncd.cli.console import Console
from syncd.cli.demo_summary import answer, beginning, summary, ways_in
from syncd.cli.progress import ProgressView
from syncd.errors import RunError

if TYPE_CHECKING:
    from syncd.daemon.demo import DemoReport
    from syncd.daemon.stage import Stage
    from syncd.telemetry.events import RunProgressed

_NEXT = (
    "What to do next:",
    "  1. edit config.toml: a GitHub token, and your PostgreSQL, if you have one",
    "  2. start the daemon: syncd run",
    "  3. tell it whom to follow: syncd users import FILE",
    "     (a CSV with the columns key,github,leetcode,codeforces,...)",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo(Command):
    """Show everything at work, without an account anywhere.

    Starts a PostgreSQL and a Valkey of its own and a stand-in for each platform, imports made-up
    users, syncs them twice, tells some of them of contests, of which one moves and one is
    cancelled, and shows what came of it, and what somebody scores. Only the logs are left behind.
    """

    parameters = (
        click.Option(
            ["--users"],
            type=click.IntRange(1, 100_000),
            default=1_000,
            show_default=True,
            help="How many users are made up.",
        ),
        click.Option(
            ["--seed"],
            type=click.IntRange(0),
            default=1,
            show_default=True,
            help="What they are made from: the same seed makes the same users.",
        ),
        click.Option(["--stay"], is_flag=True, help="Then serve the control port until Ctrl-C."),
    )
    users: int
    seed: int
    stay: bool

    def run(self, console: Console) -> Exit:
        """Play it and show the summary."""
        from syncd.daemon.demo import run_demo  # noqa: PLC0415 - it is the whole daemon
        from syncd.daemon.stage import DemoPlan  # noqa: PLC0415 - the same

        plan = DemoPlan(users=self.users, seed=self.seed, stays=self.stay)
        with ExitStack() as display:
            report = run_demo(plan, _Audience(console, display))
        if report is None:
            console.say("stopped; nothing is left behind")
            return Exit.SIGNAL
        if report.mismatches:
            raise RunError(
                f"the numbers do not add up: {'; '.join(report.mismatches)}",
                hint="what happened stands in the logs named above",
            )
        return Exit.OK


class _Audience:
    """Shows the demo: talk and progress on standard error, the summary on standard output."""

    def __init__(self, console: Console, display: ExitStack) -> None:
        self._console = console
        self._display = display
        self._pass = ""
        self._view: ProgressView | None = None

    def begin(self, stage: Stage) -> None:
        self._console.say(
            *beginning(stage), f"logs: {stage.log_dir}", "starting PostgreSQL and Valkey"
        )

    def follow(self, name: str, progress: RunProgressed) -> None:
        if self._view is None or name != self._pass:
            self._display.close()
            self._console.say(name)
            self._pass = name
            self._view = self._display.enter_context(ProgressView(self._console))
        self._view.update(dataclasses.asdict(progress))

    def end(self, report: DemoReport) -> None:
        self._display.close()
        if self._console.is_json:
            self._console.show_json(answer(report))
        else:
            self._console.show(*summary(report), "", *_NEXT)
        if report.address:
            self._console.say("", *ways_in(report))
