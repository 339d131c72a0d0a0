"""Which dead letters `requeue` and `discard` are about: by number, or a choice of the open ones."""

from __future__ import annotations

from abc import ABC
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import click

from syncd.cli.base import Command
from syncd.cli.console import Console
from syncd.cli.reach import connect
from syncd.cli.words import counted
from syncd.errors import BadInput, NotKnown
from syncd.web.client import Json, api_path

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


@contextmanager
def known_names() -> Iterator[None]:
    """Make a job or platform that does not exist a mistake of who named it, as `trigger` does."""
    try:
        yield
    except NotKnown as error:
        raise BadInput(str(error), hint=error.hint) from error


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
            paths = [api_path("dead-letters", number, action) for number in self.numbers]
            letters = [client.post(path) for path in paths]
            answer: Json = {done: len(letters), "dead_letters": letters}
        else:
            body: Json = {**self._narrowing} or {"all": True}
            with known_names():
                answer = client.post(api_path("dead-letters", action), body)
        count = int(answer[done])
        if console.is_json:
            console.show_json(answer)
        else:
            console.show(f"{counted(count, 'dead letter')} {done}")
        return count
