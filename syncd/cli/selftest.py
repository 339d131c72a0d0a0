"""`syncd selftest`: does it work here, on data of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from syncd.cli.base import Command, Exit
from syncd.cli.console import Console
from syncd.cli.reach import load
from syncd.cli.words import counted, in_words, latency

if TYPE_CHECKING:
    from syncd.daemon.scratch import Scratch
    from syncd.daemon.selftest import Step, Trial

_NAME_WIDTH = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Selftest(Command):
    """Try a job kind on the configured servers.

    In a schema and under keys that nobody else has: three users are created, changed and deleted,
    then everything is flushed, which must delete nobody. All of it is removed in the end. Servers
    that are not configured are started, unless the daemon runs them.
    """

    parameters = (click.Argument(["what"], type=click.Choice(["leaderboard"])),)
    what: str

    def run(self, console: Console) -> Exit:
        """Play it and tell each step."""
        config = load(console)
        from syncd.daemon.selftest import run_selftest  # noqa: PLC0415 - it is the whole daemon

        audience = _Audience(console)
        trial = run_selftest(config, audience)
        if trial is None:
            console.say(f"stopped; {audience.last}")
            return Exit.SIGNAL
        if console.is_json:
            console.show_json(_answer(trial))
        else:
            console.show(_verdict(trial, self.what))
        return Exit.OK if trial.is_ok else Exit.FAILED


class _Audience:
    """Shows each step as it ends, unless everything is told at once as JSON."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self.last = "nothing is left"
        """What the last step found: after a signal that is the cleaning up."""

    def begin(self, scratch: Scratch) -> None:
        self._console.say(
            f"schema {scratch.schema} on PostgreSQL {scratch.database}",
            f"keys {scratch.prefix}* on Redis {scratch.redis}",
        )

    def follow(self, step: Step) -> None:
        self.last = step.found
        if self._console.is_json:
            return
        word = "ok    " if step.is_ok else "failed"
        what = step.found if step.is_ok else f"{step.found} (expected: {step.expected})"
        took = latency(step.seconds).rjust(7)
        self._console.show(f"{step.number}  {step.name:{_NAME_WIDTH}}  {word}  {took}  {what}")
        if step.hint:
            self._console.say(f"  hint: {step.hint}")


def _verdict(trial: Trial, what: str) -> str:
    took = in_words(sum(step.seconds for step in trial.steps))
    failed = [step.name for step in trial.steps if not step.is_ok]
    if failed:
        return f"selftest of {what} failed: {', '.join(failed)}"
    return f"selftest of {what} is ok: {counted(len(trial.steps), 'step')} in {took}"


def _answer(trial: Trial) -> dict[str, Any]:
    scratch = trial.scratch
    return {
        "ok": trial.is_ok,
        "schema": scratch.schema,
        "prefix": scratch.prefix,
        "database": str(scratch.database),
        "redis": str(scratch.redis),
        "steps": [
            {
                "number": step.number,
                "name": step.name,
                "ok": step.is_ok,
                "seconds": round(step.seconds, 3),
                "expected": step.expected,
                "found": step.found,
                "hint": step.hint,
            }
            for step in trial.steps
        ],
    }
