"""`syncd plan`: what a run would change, and what of it would wait for a person."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import click

from syncd.cli.base import Command, Exit
from syncd.cli.console import Console
from syncd.cli.held import open_plan, weight
from syncd.cli.pursuit import exit_of, pursue
from syncd.cli.reach import ask_job, connect, known_job, load
from syncd.cli.reconciliation import missing, source
from syncd.errors import BadInput
from syncd.web.client import ControlClient, DaemonUnreachable, Json, api_path

_KIND = "leaderboard"
_SHOWN = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan(Command):
    """Show what a run of a leaderboard would do.

    Reads and compares everything and writes nothing. The exit code is 7 when something would be
    held by the guard, or is.
    """

    parameters = (
        click.Argument(["job"]),
        click.Option(["--full"], is_flag=True, help="A complete pass, whatever the job's mode."),
    )
    job: str
    full: bool

    def run(self, console: Console) -> Exit:
        """Look, here if there is no daemon."""
        waits: Json | None = None
        try:
            client = connect(console)
            run = self._look(console, client)
            waits = open_plan(client, self.job)
        except DaemonUnreachable as error:
            console.say(f"{error}: looking once, here")
            run = self._look_here(console)
        if console.is_json:
            console.show_json({**run, "open_plan": waits})
        else:
            _show(console, run, waits)
        is_held = bool(waits and waits["state"] == "held") or _would_hold(run)
        code = exit_of(run)
        return Exit.HELD if is_held and code is Exit.OK else code

    def _look(self, console: Console, client: ControlClient) -> Json:
        with known_job(client, self.job):
            self._check_kind(client.get(api_path("jobs", self.job))["kind"])
        return pursue(console, client, ask_job(client, self.job, "trigger", self._options()))

    def _look_here(self, console: Console) -> Json:
        from syncd.cli.foreground import run_here  # noqa: PLC0415 - it brings the event loop

        jobs = load(console).jobs
        if self.job in jobs:
            self._check_kind(jobs[self.job].kind)
        return run_here(console, self.job, self._options())

    def _options(self) -> dict[str, Any]:
        return {"only": [], "platform": "", "limit": None, "full": self.full, "dry_run": True}

    def _check_kind(self, kind: str) -> None:
        if kind != _KIND:
            raise BadInput(
                f"job {self.job} is of kind {kind}, which makes no plan",
                hint=f"`syncd trigger {self.job} --dry-run` runs it without writing",
            )


def _would_hold(run: Json) -> bool:
    return bool((run["reconciliation"] or {"verdict": {"reasons": ()}})["verdict"]["reasons"])


def _show(console: Console, run: Json, waits: Json | None) -> None:
    told = run["reconciliation"]
    if told is None:
        console.show(f"{run['outcome']}: {run['error']}")
    else:
        console.show(*_lines(told))
        console.say(*(f"note: {note}" for note in told["notes"]))
    if run["hint"]:
        console.say(f"  hint: {run['hint']}")
    if waits is not None:
        _show_open(console, waits, told)


def _lines(told: Json) -> list[str]:
    """Write what would be done, from what, and what of it would wait."""
    counts = ", ".join(f"{verb} {told[f'{verb}d']:,}" for verb in ("create", "update", "delete"))
    lines = [f"would {counts}; {missing(told)}"]
    complete = "complete" if told["is_complete"] else f"not complete ({told['mode']})"
    lines.append(f"source: {complete}" + (f", {source(told)}" if told["source"] else ""))
    if told["sample"]:
        shown = told["sample"][:_SHOWN]
        more = told["missing"] - len(shown)
        lines.append(f"missing: {', '.join(shown)}{f' and {more:,} more' if more > 0 else ''}")
    if told["waiting"]:
        lines.append(f"waiting: {told['waiting']:,} until they were missing long enough")
    lines += [f"would be held: {reason}" for reason in told["verdict"]["reasons"]]
    return [*lines, *([f"digest: {told['digest']}"] if told["missing"] else [])]


def _show_open(console: Console, plan: Json, told: Json | None) -> None:
    """Say what waits for a person, and what that person types next."""
    same = " (the same rows)" if told is not None and plan["digest"] == told["digest"] else ""
    console.show(f"plan {plan['id']} is {plan['state']}: it would {weight(plan)}{same}")
    if plan["state"] == "approved":
        console.say(f"  hint: the next run applies it: syncd trigger {plan['job']}")
        return
    number, pick = " --deletes N" if plan["is_hard"] else "", plan["id"]
    console.say(
        f"  hint: syncd plans {pick} lists its rows; then syncd approve {pick}{number}, "
        f"or syncd reject {pick}"
    )
