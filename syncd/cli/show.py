"""`syncd show`: everything that is known about one run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import click

from syncd.cli.base import Command, Exit
from syncd.cli.console import Console
from syncd.cli.listening import plays_in_words
from syncd.cli.reach import connect
from syncd.cli.reconciliation import reconciliation_rows, show_boards
from syncd.cli.shares import ASKS_NOBODY, cleaned_in_words, show_shares
from syncd.cli.words import (
    act_in_words,
    cause_in_words,
    counted,
    in_words,
    instant,
    progress_in_words,
    skip_in_words,
    tally,
)
from syncd.web.client import Json, api_path

_INSTANTS = ("fire_time", "due_at", "claimed_at", "started_at", "finished_at")


@dataclass(frozen=True, slots=True, kw_only=True)
class Show(Command):
    """Show one run.

    When it ran, why, and what came of it on each platform; times are UTC.
    """

    parameters = (click.Argument(["run_id"], metavar="RUN", type=click.IntRange(1)),)
    run_id: int

    def run(self, console: Console) -> Exit:
        """Ask the daemon."""
        run = connect(console).get(api_path("runs", self.run_id))
        if console.is_json:
            console.show_json(run)
        else:
            console.show_table(list(_rows(run)))
            show_shares(console, run)
            show_boards(console, run)
        return Exit.OK


def _rows(run: Json) -> Iterator[tuple[str, str]]:
    yield "run", str(run["id"])
    yield "job", f"{run['job']} ({run['kind']})"
    yield "cause", cause_in_words(run)
    if run["options"].get("act"):
        yield "asked for", act_in_words(run["options"])
    yield "outcome", run["outcome"]
    if run["skip_reason"]:
        yield "skipped", skip_in_words(run)
    for name in _INSTANTS:
        at = instant(run[name])
        if at is not None and not (name == "due_at" and run[name] == run["fire_time"]):
            yield name.replace("_", " "), f"{at:%Y-%m-%d %H:%M:%S}"
    yield from _effort(run)
    yield from _narrowed(run["options"])
    yield "items", tally(run)
    yield from _results(run)


def _results(run: Json) -> Iterator[tuple[str, str]]:
    """Yield what came of a run besides its counts."""
    compared = list(reconciliation_rows(run))
    yield from compared
    if run.get("plays"):
        yield "plays", plays_in_words(run["plays"])
    if "cleaned" in run:
        yield "cleaned up", cleaned_in_words(run["cleaned"])
    if run["kind"] not in ASKS_NOBODY:
        yield "requests", f"{run['calls']:,} calls, {run['saved']:,} answers that cost no quota"
    if run["progress"]:
        yield "progress", progress_in_words(run["progress"].values())
    if run["error"] and not (compared and run["outcome"] == "held"):  # told as what is held
        yield "error", run["error"]
    if run["hint"]:
        yield "hint", run["hint"]


def _effort(run: Json) -> Iterator[tuple[str, str]]:
    if run["duration_seconds"] is not None:
        yield "took", in_words(run["duration_seconds"])
    if run["attempt"] > 1 or run["resumed"]:
        yield "attempt", f"{run['attempt']}, resumed {counted(run['resumed'], 'time')}"


def _narrowed(options: Json) -> Iterator[tuple[str, str]]:
    """Yield how a trigger narrowed the run."""
    act = {"act", "of"}
    given = {name: value for name, value in options.items() if value and name not in act}
    words = [
        name.replace("_", " ") if value is True else f"{name} {_listed(value)}"
        for name, value in given.items()
    ]
    if words:
        yield "narrowed to", "; ".join(words)


def _listed(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
