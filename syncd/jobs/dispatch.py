"""What the senders of one run share: how much there may be, what it came to, and how it is told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from syncd.jobs.base import RunContext, Surroundings
from syncd.jobs.progress import Progress
from syncd.model.delivery import Claimed, Delivery, Settled, report_of
from syncd.model.notification import DeliveryState, Message
from syncd.model.run import Report
from syncd.telemetry.events import (
    DeliveriesSetAside,
    DeliveryDoubted,
    DeliveryFailed,
    DeliveryPutOff,
    DeliverySent,
    Event,
    NotificationsDispatched,
)

_LATE = timedelta(minutes=30)


class Dispatch:
    """Counts a run's deliveries over all channels.

    Args:
        context: the run.
        waiting: how many wait on each channel.
    """

    def __init__(self, context: RunContext, waiting: Mapping[str, int]) -> None:
        limit = context.run.options.limit
        self._left = None if limit is None else max(0, limit - context.run.report.seen)
        self._counts: Counter[str] = Counter()
        self._users = bytearray()
        self._context = context
        self._progress = {
            name: Progress(context, name, Report(), count) for name, count in waiting.items()
        }

    @property
    def left(self) -> bool:
        """Whether there may be more."""
        return self._left is None or self._left > 0

    def take(self, rows: int) -> int:
        """Take up to so many of those there may be."""
        if self._left is None:
            return rows
        taken = min(rows, self._left)
        self._left -= taken
        return taken

    def give_back(self, rows: int) -> None:
        """Return what was taken and not used."""
        if self._left is not None:
            self._left += rows

    def count(self, settled: Settled) -> None:
        """Count what came of a delivery."""
        word = "put_off" if settled.state is DeliveryState.PENDING else str(settled.state)
        self._counts[word] += 1
        if settled.state is DeliveryState.SENT:
            self._add_user(settled.delivery.user_id)

    def set_aside(self, claimed: Claimed) -> None:
        """Count what a claim set aside."""
        self.add(expired=claimed.expired, dropped=claimed.dropped)

    def add(self, **counts: int) -> None:
        """Count others of the run, by word."""
        self._counts.update(counts)

    def tell_progress(self, channel: str, settled: Sequence[Settled]) -> None:
        """Tell how far the run is over a channel."""
        if channel in self._progress:
            self._progress[channel].add(report_of(settled), "")

    def tell_end(self) -> None:
        """Tell what the run came to."""
        run = self._context.run
        self._context.around.bus.emit(
            NotificationsDispatched(
                run_id=run.id,
                job=run.job,
                users=int.from_bytes(self._users, "little").bit_count(),
                sent=self._counts["sent"],
                failed=self._counts["failed"],
                unknown=self._counts["unknown"],
                put_off=self._counts["put_off"],
                expired=self._counts["expired"],
                dropped=self._counts["dropped"],
            )
        )

    def _add_user(self, number: int) -> None:
        # A bit a user: a set of a million numbers would be sixty megabytes.
        place, bit = divmod(number, 8)
        if place >= len(self._users):
            self._users.extend(bytes(place + 1 - len(self._users)))
        self._users[place] |= 1 << bit


def message_of(around: Surroundings, delivery: Delivery) -> Message:
    """Write down a delivery as its channel takes it."""
    quiet, due_at = delivery.quiet, delivery.due_at
    # Who is not to be told at night is told in time in the morning.
    due_at = (quiet and quiet.until(due_at)) or due_at
    return Message(
        key=str(delivery.id),
        occasion=delivery.occasion,
        channel=delivery.channel,
        address=delivery.address,
        contests=delivery.contests,
        lead_hours=delivery.lead_hours,
        timezone=delivery.timezone,
        language=delivery.language,
        is_late=around.clock.now() - due_at > _LATE,
        expires_at=delivery.expires_at,
        unsubscribe_url=around.unsubscribe(delivery.user_key, delivery.channel),
    )


def tell_of(context: RunContext, settled: Settled, stack: str = "") -> None:
    """Tell what came of a delivery; with a stack, of what nobody foresaw."""
    event = _event(context, settled, stack)
    if event is not None:
        context.around.bus.emit(event)


def tell_set_aside(context: RunContext, channel: str, claimed: Claimed) -> None:
    """Tell how many deliveries a claim set aside."""
    if claimed.expired or claimed.dropped:
        run = context.run
        context.around.bus.emit(
            DeliveriesSetAside(
                run_id=run.id,
                job=run.job,
                channel=channel,
                expired=claimed.expired,
                dropped=claimed.dropped,
            )
        )


def _event(context: RunContext, settled: Settled, stack: str) -> Event | None:
    delivery, run = settled.delivery, context.run
    about: dict[str, Any] = {
        "run_id": run.id,
        "job": run.job,
        "delivery_id": delivery.id,
        "channel": delivery.channel,
        "user_key": delivery.user_key,
        "occasion": str(delivery.occasion),
    }
    if settled.is_unknown:
        return DeliveryDoubted(
            **about,
            is_resent=settled.state is DeliveryState.PENDING,
            error=settled.error,
            hint=settled.hint,
            stack=stack,
        )
    match settled.state:
        case DeliveryState.SENT:
            return DeliverySent(**about)
        case DeliveryState.FAILED:
            return DeliveryFailed(
                **about, attempt=delivery.attempts, error=settled.error, hint=settled.hint
            )
        case DeliveryState.PENDING:
            return DeliveryPutOff(
                **about,
                attempt=delivery.attempts,
                error=settled.error,
                retry_at=settled.next_attempt_at,
            )
        case _:
            return None
