"""`syncd outbox drop`: never send a delivery."""

from __future__ import annotations

from dataclasses import dataclass

import click

from syncd.cli.base import Command, Exit
from syncd.cli.console import Console
from syncd.cli.deliveries import order_each
from syncd.cli.reach import connect
from syncd.cli.words import counted


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxDrop(Command):
    """Never send these deliveries.

    What was sent, or is about to be, cannot be dropped; `retry` takes it back while its contest has
    not begun. Repeating it changes nothing.
    """

    parameters = (
        click.Argument(
            ["numbers"], metavar="ID...", type=click.IntRange(1), nargs=-1, required=True
        ),
    )
    numbers: tuple[int, ...]

    def run(self, console: Console) -> Exit:
        """Order it."""
        dropped = order_each(console, connect(console), "drop", self.numbers)
        if console.is_json:
            console.show_json({"dropped": len(dropped), "deliveries": dropped})
        else:
            console.show(f"{counted(len(dropped), 'delivery', 'deliveries')} dropped")
        return Exit.OK
