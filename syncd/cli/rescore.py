"""`syncd rescore`: compute every score again."""

from __future__ import annotations

import time
from dataclasses import dataclass

from syncd.cli.base import Command, Exit
from syncd.cli.console import Console
from syncd.cli.progress import ProgressView
from syncd.cli.reach import connect, load
from syncd.cli.words import in_words
from syncd.web.client import ControlClient, DaemonUnreachable, Json, api_path

_PAUSE_SECONDS = 0.25
_PATH = api_path("rescore")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rescore(Command):
    """Compute every score again.

    Out of the numbers that are stored, with the parameters in config.toml, without one fetch. By
    the daemon, or, when none is running, here.
    """

    def run(self, console: Console) -> Exit:
        """Order it, here if nowhere else, and wait for the end."""
        try:
            client = connect(console)
            begun = client.post(_PATH)
        except DaemonUnreachable as error:
            console.say(f"{error}: computing scores here")
            return _finish(console, _compute_here(console))
        return _finish(console, _follow(console, client, begun))


def _follow(console: Console, client: ControlClient, answer: Json) -> Json:
    with ProgressView(console) as view:
        while answer["running"]:
            time.sleep(_PAUSE_SECONDS)
            answer = client.get(_PATH)
            if answer["total"]:
                view.update(_told(answer))
    return answer


def _compute_here(console: Console) -> Json:
    from syncd.daemon.foreground import rescore_once  # noqa: PLC0415 - it brings the event loop

    with ProgressView(console) as view:
        return rescore_once(load(console), lambda told: view.update(_told(told)))


def _told(answer: Json) -> Json:
    """Return how far it is, in the shape of a run's progress."""
    seconds = answer["duration_seconds"]
    rate = answer["done"] / seconds if seconds else 0.0
    return {
        "platform": "scores",
        "done": answer["done"],
        "total": answer["total"],
        "failed": 0,
        "rate": rate,
        "eta_seconds": (answer["total"] - answer["done"]) / rate if rate else None,
        "waits_for": answer["error"],
    }


def _finish(console: Console, answer: Json) -> Exit:
    """Show what came of it; 1 where the end was not reached."""
    if console.is_json:
        console.show_json(answer)
    elif not answer["error"]:
        console.show(
            f"done in {in_words(answer['duration_seconds'])}: {answer['done']:,} scores computed, "
            f"{answer['changed']:,} changed, {answer['removed']:,} removed, "
            f"formula {answer['formula_version']}"
        )
    if answer["error"]:
        console.say(f"error: {answer['error']}", "  hint: what is left is computed by itself later")
        return Exit.FAILED
    return Exit.OK
