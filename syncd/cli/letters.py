"""Which dead letters `requeue` and `discard` are about: by number, or a choice of the open ones."""

from __future__ import annotations

from abc import ABC
from dataclasses import dataclass

import click

from syncd.cli.base import Command
from syncd.cli.console import Console
from syncd.cli.reach import connect
from syncd.cli.words import counted
from syncd.errors import SyncdError
from syncd.web.client import ControlClient, Json, api_path

CHOICE: tuple[click.Parameter, ...] = (
    click.Option(["--job"], metavar="NAME", help="Written by this job."),
    click.Option(["--platform"], metavar="NAME", help="Of this platform."),
    click.Option(["--error-class"], metavar="WORD", help="Of this outcome, such as schema_error."),
)
PARAMETERS: tuple[click.Parameter, ...] = (
    click.Argument(["numbers"], metavar="[LETTER]...", type=click.IntRange(1), nargs=-1),
    *CHOICE,
    click.Option(["--all", "everything"], is_flag=True, help="Every open one."),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decide(Command, ABC):
    """Decide about letters by number, or the open ones of a job, platform, error class, or all.

    Raises:
        UsageError: it is none of them, or numbers and something else.
    """

    parameters = PARAMETERS
    numbers: tuple[int, ...]
    job: str | None
    platform: str | None
    error_class: str | None
    everything: bool

    def __post_init__(self) -> None:
        named = [bool(self.numbers), bool(self._narrowing), self.everything]
        if sum(named) != 1:
            raise click.UsageError(
                "name letters by number, or --job, --platform or --error-class, or --all",
                click.get_current_context(silent=True),
            )

    @property
    def _narrowing(self) -> dict[str, str]:
        given = {"job": self.job, "platform": self.platform, "error_class": self.error_class}
        return {name: value for name, value in given.items() if value}

    def order(self, console: Console, action: str, done: str) -> int:
        """Order something of them and tell it; return how many it was done to."""
        client = connect(console)
        if self.numbers:
            letters = self._order_each(console, client, action, done)
            answer: Json = {done: len(letters), "dead_letters": letters}
        else:
            body: Json = {**self._narrowing} or {"all": True}
            answer = client.post(api_path("dead-letters", action), body)
        count = int(answer[done])
        if console.is_json:
            console.show_json(answer)
        else:
            console.show(f"{counted(count, 'dead letter')} {done}")
        return count

    def _order_each(
        self, console: Console, client: ControlClient, action: str, done: str
    ) -> list[Json]:
        """Order something of each number once; where one fails, tell for which it was done."""
        letters: list[Json] = []
        for number in dict.fromkeys(self.numbers):
            try:
                letters.append(client.post(api_path("dead-letters", number, action)))
            except SyncdError:
                if letters:
                    before = ", ".join(str(letter["id"]) for letter in letters)
                    console.say(f"{done} before dead letter {number} failed: {before}")
                raise
        return letters
