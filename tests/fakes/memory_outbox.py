"""The part of a control port's service that is about deliveries, in memory."""

from __future__ import annotations

from typing import Any

from syncd.errors import NotKnown, WrongState
from syncd.model.outbox import Order, Wanted
from syncd.web.service import Json


def delivery_answer(number: int = 12, **changes: Any) -> Json:
    """A delivery as the control port answers it."""
    return {
        "id": number,
        "user_key": "ada",
        "channel": "email",
        "occasion": "reminder",
        "lead_hours": 24,
        "platform": "atcoder",
        "contest_name": "ABC 400",
        "starts_at": "2026-11-24T12:00:00Z",
        "state": "unknown",
        "attempts": 1,
        "updated_at": "2026-11-23T12:00:00Z",
        "read_at": None,
        "address": "a***@example.com",
        "error": "no answer after the last line",
    } | changes


class MemoryOutbox:
    """Knows the deliveries in `deliveries`."""

    orders: list[tuple[Any, ...]]

    def __init__(self) -> None:
        super().__init__()
        self.deliveries: list[Json] = [delivery_answer()]

    async def outbox(self, wanted: Wanted, before: int | None, limit: int) -> list[Json]:
        return [
            each
            for each in self.deliveries
            if each["state"] in wanted.states
            and wanted.channel in {None, each["channel"]}
            and wanted.user_key in {None, each["user_key"]}
            and (before is None or each["id"] < before)
        ][:limit]

    async def notifications(self, key: str, before: int | None, limit: int) -> list[Json]:
        return [each for each in self.deliveries if each["user_key"] == key][:limit]

    async def decide_delivery(self, order: Order, delivery_id: int, *, actor: str) -> Json:
        self.orders.append(("decide_delivery", order, delivery_id, actor))
        found = self._delivery(delivery_id)
        if found["state"] == "sent":
            raise WrongState(f"delivery {delivery_id} cannot be retried: it is sent")
        return {**found, "state": "pending" if order is Order.RETRY else "dropped"}

    async def retry_unknown(self, channel: str | None) -> Json:
        self.orders.append(("retry_unknown", channel))
        return {"retried": 3, "left": {"its contest has begun": 2}}

    async def mark_read(self, delivery_id: int) -> Json:
        self.orders.append(("mark_read", delivery_id))
        return {**self._delivery(delivery_id), "read_at": "2026-11-23T13:00:00Z"}

    async def delivery_statistics(self, days: int) -> Json:
        return {"since": "2026-11-17T00:00:00Z", "days": [{"channel": "email", "sent": days}]}

    def _delivery(self, number: int) -> Json:
        for each in self.deliveries:
            if each["id"] == number:
                return each
        raise NotKnown(f"there is no delivery {number}")
