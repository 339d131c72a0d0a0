"""Notifications: what is to be told to whom, over which channel, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from syncd.model.contest import Occasion

LEADS = range(1, 169)
"""How many hours before the start a reminder can be asked for."""


class DeliveryState(StrEnum):
    """Where a delivery stands.

    UNKNOWN: it left, and nobody knows whether it arrived. EXPIRED: the contest began before it
    could be sent. DROPPED: a person decided that it is not sent.
    """

    PENDING = "pending"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    UNKNOWN = "unknown"
    EXPIRED = "expired"
    DROPPED = "dropped"


class UnknownPolicy(StrEnum):
    """What becomes of a delivery of which nobody knows whether it arrived.

    HOLD: it waits for a person. RESEND: it is sent once more, under the same id.
    """

    HOLD = "hold"
    RESEND = "resend"


@dataclass(frozen=True, slots=True, kw_only=True)
class ContestNotice:
    """A contest in a message: what was true of it when the message was decided on."""

    platform: str
    name: str
    url: str
    starts_at: datetime
    ends_at: datetime
    previous_starts_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message to one person over one channel.

    `key` is the same in every attempt: whatever id the channel gives a message comes from it.
    `address` is as the channel's `parse_address` returned it. `is_late`: the time it was due at is
    more than half an hour past. `unsubscribe_url` is empty where there is none.
    """

    key: str
    occasion: Occasion
    channel: str
    address: str = field(repr=False)
    contests: Sequence[ContestNotice]
    lead_hours: int = 0
    timezone: str = "UTC"
    language: str = "en"
    is_late: bool = False
    expires_at: datetime
    unsubscribe_url: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What a channel said when it took a message; `reference` is its own name for it."""

    reference: str = ""
