"""What the control port needs to tell of deliveries: a part of `web.service.Service`."""

from __future__ import annotations

from typing import Any, Protocol

from syncd.model.outbox import Order, Wanted

Json = dict[str, Any]


class Deliveries(Protocol):
    """The questions and orders about what users were told."""

    async def outbox(self, wanted: Wanted, before: int | None, limit: int) -> list[Json]:
        """Return deliveries, newest first, numbered below `before`; no address is whole."""

    async def notifications(self, key: str, before: int | None, limit: int) -> list[Json]:
        """Return what a user was told, and was to be told, newest first."""

    async def decide_delivery(self, order: Order, delivery_id: int, *, actor: str) -> Json:
        """Let a delivery be sent once more, or never, and return it.

        Raises:
            WrongState: it is being sent or was, or something is in the way that lasts.
        """

    async def retry_unknown(self, channel: str | None) -> Json:
        """Retry whatever nobody knows to have arrived; return how many, and why others not."""

    async def mark_read(self, delivery_id: int) -> Json:
        """Note that its user has read a delivery, and return it; the first time counts."""

    async def delivery_statistics(self, days: int) -> Json:
        """Count deliveries by channel and day, of so many days up to today."""
