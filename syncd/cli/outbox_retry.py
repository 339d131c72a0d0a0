"""`syncd outbox retry`: send deliveries once more."""

from __future__ import annotations

from dataclasses import dataclass

import click

from syncd.cli.base import Command, Exit
from syncd.cli.console import Console
from syncd.cli.deliveries import order_each
from syncd.cli.reach import connect
from syncd.cli.words import counted
from syncd.web.client import Json, api_path


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxRetry(Command):
    """Send deliveries once more, with all their attempts.

    By number, or with --all-unknown every one that nobody knows to have arrived: some may come
    twice then. A contest that has begun is told of no more. Repeating it changes nothing.
    """

    parameters = (
        click.Argument(["numbers"], metavar="[ID]...", type=click.IntRange(1), nargs=-1),
        click.Option(["--all-unknown"], is_flag=True, help="All that may have arrived, or not."),
        click.Option(["--channel"], metavar="NAME", help="Of all unknown: over this channel."),
    )
    numbers: tuple[int, ...]
    all_unknown: bool
    channel: str | None

    def __post_init__(self) -> None:
        if bool(self.numbers) == self.all_unknown or (self.channel and self.numbers):
            raise click.UsageError(
                "name deliveries by number, or --all-unknown, perhaps with --channel",
                click.get_current_context(silent=True),
            )

    def run(self, console: Console) -> Exit:
        """Order it."""
        answer = self._retry_unknown(console) if self.all_unknown else self._retry(console)
        if console.is_json:
            console.show_json(answer)
            return Exit.OK
        count = answer["retried"]
        console.show(f"{counted(count, 'delivery', 'deliveries')} retried")
        for why, left in answer.get("left", {}).items():
            console.say(f"{counted(left, 'delivery', 'deliveries')} left: {why}")
        if count:
            console.say("the next run of kind notify sends; `syncd trigger JOB` starts one now")
        return Exit.OK

    def _retry(self, console: Console) -> Json:
        found = order_each(console, connect(console), "retry", self.numbers)
        return {"retried": len(found), "deliveries": found}

    def _retry_unknown(self, console: Console) -> Json:
        body = {"all_unknown": True, **({"channel": self.channel} if self.channel else {})}
        return connect(console).post(api_path("outbox", "retry"), body)
