"""What happens to notifications: made due, sent, put off, and over which channels nothing goes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar

from syncd.telemetry.events.base import Event, Level


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationsArmed(Event):
    """So many deliveries became due, by channel and occasion ("email reminder").

    Of `missed` the contest began while nothing was sent. With `dry_run` nothing was made.
    """

    name: ClassVar[str] = "notifications.armed"
    run_id: int
    job: str
    deliveries: int
    missed: int
    counts: Mapping[str, int] = field(default_factory=dict)
    dry_run: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationsDispatched(Event):
    """A run is through: what it sent, to how many users; the rest by what became of it.

    `put_off` waits for another attempt.
    """

    name: ClassVar[str] = "notifications.dispatched"
    run_id: int
    job: str
    users: int
    sent: int
    failed: int
    unknown: int
    put_off: int
    expired: int
    dropped: int
    dry_run: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryEvent(Event):
    """Something about one delivery."""

    run_id: int
    job: str
    delivery_id: int
    channel: str
    user_key: str
    occasion: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliverySent(DeliveryEvent):
    """A channel took a message."""

    name: ClassVar[str] = "delivery.sent"
    level: ClassVar[Level] = Level.DEBUG
    is_late: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryFailed(DeliveryEvent):
    """A message did not arrive and is not tried again."""

    name: ClassVar[str] = "delivery.failed"
    level: ClassVar[Level] = Level.WARNING
    attempt: int
    error: str
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryPutOff(DeliveryEvent):
    """A message did not arrive, or is not to arrive now; it is tried at `retry_at`."""

    name: ClassVar[str] = "delivery.put_off"
    level: ClassVar[Level] = Level.DEBUG
    attempt: int
    error: str
    retry_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryDoubted(DeliveryEvent):
    """A message left, and nobody knows whether it arrived; `is_resent`: it is sent once more."""

    name: ClassVar[str] = "delivery.unknown"
    level: ClassVar[Level] = Level.WARNING
    is_resent: bool
    error: str
    hint: str = ""
    stack: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveriesSetAside(Event):
    """So many deliveries are not sent: too late or not true any more, or not wanted any more."""

    name: ClassVar[str] = "deliveries.set_aside"
    level: ClassVar[Level] = Level.DEBUG
    run_id: int
    job: str
    channel: str
    expired: int
    dropped: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressDied(Event):
    """Nobody is at a user's address any more; nothing is sent there until there is another one."""

    name: ClassVar[str] = "address.died"
    level: ClassVar[Level] = Level.WARNING
    channel: str
    user_key: str
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelRested(Event):
    """Nothing is delivered over a channel until then; other channels go on."""

    name: ClassVar[str] = "channel.rested"
    level: ClassVar[Level] = Level.ERROR
    channel: str
    until: datetime
    error: str
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelRecovered(Event):
    """A channel that rested delivers again."""

    name: ClassVar[str] = "channel.recovered"
    channel: str
    since: datetime
