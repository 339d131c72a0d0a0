"""Orders about deliveries, each by its number."""

from __future__ import annotations

from collections.abc import Sequence

from syncd.cli.console import Console
from syncd.errors import SyncdError
from syncd.web.client import ControlClient, Json, api_path


def order_each(
    console: Console, client: ControlClient, order: str, numbers: Sequence[int]
) -> list[Json]:
    """Order something of each delivery once; where one fails, tell for which it was done."""
    done: list[Json] = []
    for number in dict.fromkeys(numbers):
        try:
            done.append(client.post(api_path("outbox", number, order)))
        except SyncdError:
            if done:
                before = ", ".join(str(each["id"]) for each in done)
                console.say(f"{order} was done before delivery {number} failed: {before}")
            raise
    return done
