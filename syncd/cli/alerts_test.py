"""`syncd alerts test`: whether alerts arrive."""

from __future__ import annotations

from dataclasses import dataclass

from syncd.cli.base import Command, Exit
from syncd.cli.console import Console
from syncd.cli.reach import connect, load
from syncd.cli.words import in_words
from syncd.web.client import DaemonUnreachable, Json, api_path

# The webhook's own timeout ends it, which config.toml may set higher than commands wait.
_PATIENCE_SECONDS = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertsTest(Command):
    """Send a test to where alerts go.

    From the daemon, with what it runs with, or, when none is running, from here. Says what came
    back; 1 when it did not arrive.
    """

    def run(self, console: Console) -> Exit:
        """Ask the daemon to, or do it here."""
        try:
            client = connect(console, timeout_seconds=_PATIENCE_SECONDS)
            came = client.post(api_path("alerts", "test"))
        except DaemonUnreachable as error:
            console.say(f"{error}: sending it from here")
            came = _send_here(console)
        if console.is_json:
            console.show_json(came)
        elif came["delivered"]:
            said = f": {came['answer']}" if came["answer"] else ""
            took = in_words(came["duration_seconds"])
            console.show(f"the webhook took it in {took}: HTTP {came['status']}{said}")
        if came["delivered"]:
            return Exit.OK
        console.say(f"error: {came['error']}")
        if came["hint"]:
            console.say(f"  hint: {came['hint']}")
        return Exit.FAILED


def _send_here(console: Console) -> Json:
    import asyncio  # noqa: PLC0415 - it is heavy

    from syncd.alerts.desk import deliver_test, to_hook  # noqa: PLC0415 - it brings aiohttp
    from syncd.clock import SystemClock  # noqa: PLC0415 - the same

    hook = to_hook(load(console).alerts)
    return asyncio.run(deliver_test(hook, SystemClock()))
