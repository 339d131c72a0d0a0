"""What a person should know of deliveries: what waits for them, and channels that rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime

from syncd.daemon.answers import Json
from syncd.jobs.base import Surroundings
from syncd.jobs.channel_gates import Rest
from syncd.model.notification import DeliveryState

_HELD_HINT = (
    "they may have arrived, or not: `syncd outbox list --state unknown` shows them, "
    "`syncd outbox retry` sends one again, `syncd outbox drop` leaves it"
)


async def outbox_problems(around: Surroundings) -> list[Json]:
    """Say which deliveries wait for a person, and which channels deliver nothing."""
    counted = await around.stores.notifications.outbox(around.clock.now())
    return [*rest_problems(around.channel_gates.rests()), *held_problems(counted)]


def rest_problems(rests: Iterable[Rest]) -> list[Json]:
    """Say which channels deliver nothing, since when and why."""
    return [
        {
            "what": f"{rest.channel} delivers nothing since {_instant(rest.since)} and rests until "
            f"{_instant(rest.until)}: {rest.error}",
            "hint": rest.hint or "what is due waits; other channels go on",
        }
        for rest in rests
    ]


def held_problems(counted: Iterable[Mapping[str, object]]) -> list[Json]:
    """Say in one problem of how many deliveries nobody knows whether they arrived."""
    counts: Counter[str] = Counter()
    for row in counted:
        if row["state"] == DeliveryState.UNKNOWN:
            counts[str(row["channel"])] += int(str(row["deliveries"]))
    if not counts:
        return []
    total = counts.total()
    which = ", ".join(f"{name} {count:,}" for name, count in counts.most_common())
    deliveries = "delivery waits" if total == 1 else "deliveries wait"
    return [{"what": f"{total:,} {deliveries} for a person: {which}", "hint": _HELD_HINT}]


def _instant(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
