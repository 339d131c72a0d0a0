"""`syncd users forget`: remove everything that is stored about somebody."""

from __future__ import annotations

from dataclasses import dataclass

import click

from syncd.cli.base import Command, Exit
from syncd.cli.console import Console
from syncd.cli.reach import connect
from syncd.errors import NotKnown
from syncd.web.client import Json, api_path

# A leaderboard of millions and all its copies are read through.
_PATIENCE_SECONDS = 620.0


@dataclass(frozen=True, slots=True, kw_only=True)
class UsersForget(Command):
    """Remove everything that is stored about users, wherever their names stand.

    Grants first, then accounts, profiles, plays, outcomes, dead letters, rows of leaderboards and
    their copies; the counts of runs stay. Says what syncd cannot reach. Should it be cut off, do it
    again: it goes on. A key that nothing is known about is told, and the others go (exit code 4).
    """

    parameters = (
        click.Argument(["keys"], metavar="KEY...", nargs=-1, required=True),
        click.Option(["--dry-run"], is_flag=True, help="Only say what would be removed."),
    )
    keys: tuple[str, ...]
    dry_run: bool

    def run(self, console: Console) -> Exit:
        """Order it, one user after the other."""
        client = connect(console, timeout_seconds=_PATIENCE_SECONDS)
        answers: list[Json] = []
        for key in dict.fromkeys(self.keys):
            try:
                answer = client.delete(api_path("users", key), {"dry_run": self.dry_run})
            except NotKnown as error:
                console.say(f"syncd: {error}")
                continue
            answers.append(answer)
            if not console.is_json:
                console.show(*_in_words(answer))
        if console.is_json:
            console.show_json({"users": answers})
        elif answers:
            beyond = [place for answer in answers for place in answer["not_reached"]]
            console.show("not reached:", *(f"  {place}" for place in dict.fromkeys(beyond)))
        return Exit.OK if len(answers) == len(set(self.keys)) else Exit.PROBLEMS


def _in_words(answer: Json) -> list[str]:
    done = "would be removed" if answer["dry_run"] else "removed"
    rows = [f"  {count:>9,}  {table}" for table, count in sorted(answer["removed"].items())]
    return [f"user {answer['key']}: {done}", *(rows or ["  nothing, nothing is left"])]
