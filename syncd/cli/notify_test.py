"""`syncd notify test`: whether a message arrives over a channel."""

from __future__ import annotations

from dataclasses import dataclass

import click

from syncd.cli.base import Command, Exit
from syncd.cli.console import Console
from syncd.cli.reach import connect
from syncd.cli.words import in_words
from syncd.web.client import api_path

# The channel's own timeout ends it, step by step.
_PATIENCE_SECONDS = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifyTest(Command):
    """Send a sample reminder over a channel.

    The running daemon sends it, with what it runs with, to ADDRESS (of Web Push the subscription as
    JSON). Says what came back; 1 when it was not taken.
    """

    parameters = (click.Argument(["channel"]), click.Argument(["address"]))
    channel: str
    address: str

    def run(self, console: Console) -> Exit:
        """Ask the daemon to."""
        client = connect(console, timeout_seconds=_PATIENCE_SECONDS)
        given = {"channel": self.channel, "address": self.address}
        came = client.post(api_path("notify", "test"), given)
        if console.is_json:
            console.show_json(came)
        elif came["delivered"]:
            said = f": {came['reference']}" if came["reference"] else ""
            took = in_words(came["duration_seconds"])
            console.show(f"{self.channel} took it in {took}{said}")
        if came["delivered"]:
            return Exit.OK
        console.say(f"error: {came['error']}")
        if came["hint"]:
            console.say(f"  hint: {came['hint']}")
        return Exit.FAILED
