"""`syncd trigger`: run a job now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import click

from syncd.cli.base import Command, Exit
from syncd.cli.console import Console
from syncd.cli.listening import forecast_in_words, plays_in_words
from syncd.cli.pursuit import exit_of, pursue
from syncd.cli.reach import ask_job, connect
from syncd.cli.shares import ASKS_NOBODY, cleaned_in_words, show_shares
from syncd.cli.status import quota_in_words
from syncd.cli.words import NONE
from syncd.web.client import ControlClient, DaemonUnreachable, Json, api_path


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger(Command):
    """Run a job now.

    By the daemon, or, when none is running, once in the foreground. The exit code tells how a run
    that was followed ended: 4 when some of it failed, 1 when all of it did.
    """

    parameters = (
        click.Argument(["job"]),
        click.Option(["--only"], default="", metavar="USER,..", help="Only these users."),
        click.Option(["--platform"], default="", metavar="NAME", help="Only on this platform."),
        click.Option(["--limit"], type=click.IntRange(1), help="At most so many items."),
        click.Option(["--full"], is_flag=True, help="Also what is not due."),
        click.Option(["--dry-run"], is_flag=True, help="Ask the platforms, write nothing."),
        click.Option(["--follow", "-f"], is_flag=True, help="Show the progress until the end."),
    )
    job: str
    only: str
    platform: str
    limit: int | None
    full: bool
    dry_run: bool
    follow: bool

    def run(self, console: Console) -> Exit:
        """Start it, here if nowhere else."""
        try:
            client = connect(console)
            run = ask_job(client, self.job, "trigger", self._narrowed())
        except DaemonUnreachable as error:
            console.say(f"{error}: running {self.job} once, here")
            return self._run_here(console)
        if self.follow:
            if run.get("forecast") and not console.is_json:
                console.say(_started(run))
            return _follow(console, client, run)
        if console.is_json:
            console.show_json(run)
        else:
            console.show(_started(run))
            console.say(f"  hint: syncd show {run['id']}")
        return Exit.OK

    def _narrowed(self) -> dict[str, Any]:
        return {
            "only": [key.strip() for key in self.only.split(",") if key.strip()],
            "platform": self.platform,
            "limit": self.limit,
            "full": self.full,
            "dry_run": self.dry_run,
        }

    def _run_here(self, console: Console) -> Exit:
        from syncd.cli.foreground import run_here  # noqa: PLC0415 - it brings the event loop

        return _finish(console, run_here(console, self.job, self._narrowed()))


def _started(run: Json) -> str:
    forecast = f": {forecast_in_words(run['forecast'])}" if run.get("forecast") else ""
    return f"run {run['id']} of {run['job']} started{forecast}"


def _follow(console: Console, client: ControlClient, run: Json) -> Exit:
    ended = pursue(console, client, run)
    code = _finish(console, ended)
    if not console.is_json and ended["kind"] not in ASKS_NOBODY:
        console.show(*_quotas(client, ended))
    return code


def _finish(console: Console, run: Json) -> Exit:
    """Show what came of a run and return what that means to a script."""
    from syncd.cli.progress import summary  # noqa: PLC0415 - only where a run was waited for
    from syncd.cli.reconciliation import show_reconciliation  # noqa: PLC0415 - the same

    if console.is_json:
        console.show_json(run)
    else:
        console.show(summary(run))
        if run["kind"] not in ASKS_NOBODY:
            if run.get("plays"):
                console.show(f"plays: {plays_in_words(run['plays'])}")
            console.show(f"requests: {run['calls']:,} calls, {run['saved']:,} cost no quota")
            show_shares(console, run)
        show_reconciliation(console, run)
        if "cleaned" in run:
            console.show(f"cleaned up: {cleaned_in_words(run['cleaned'])}")
    if run["hint"]:
        console.say(f"  hint: {run['hint']}")
    return exit_of(run)


def _quotas(client: ControlClient, run: Json) -> list[str]:
    """Write what is left of the quota of every platform that the run asked."""
    asked = run.get("platforms", {})
    return [
        f"quota left on {platform['name']}: {quota_in_words(platform)}"
        for platform in client.get(api_path("platforms"))["platforms"]
        if platform["name"] in asked and quota_in_words(platform) != NONE
    ]
