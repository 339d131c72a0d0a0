"""What a person looks for among deliveries, and what they decide about one."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from syncd.model.notification import DeliveryState

OPEN = (
    DeliveryState.PENDING,
    DeliveryState.SENDING,
    DeliveryState.UNKNOWN,
    DeliveryState.FAILED,
)
"""What was not delivered, and may be yet."""


class Order(StrEnum):
    """What is to become of a delivery: sent once more, or never."""

    RETRY = "retry"
    DROP = "drop"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which deliveries; None: whatever the channel, whoever the user, whichever the number."""

    states: tuple[DeliveryState, ...] = OPEN
    channel: str | None = None
    user_key: str | None = None
    id: int | None = None
