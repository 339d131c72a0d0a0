"""The outbox as a person sees it: what was told to whom, what was not, and what they decide."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from syncd.errors import NotKnown, WrongState
from syncd.model.notification import DeliveryState
from syncd.model.outbox import Order, Wanted
from syncd.model.preferences import masked
from syncd.store.blocks import load_blocks
from syncd.store.database import Database, Row
from syncd.store.fence import Fence

# How a delivery may stand to be decided about: a person may think better of it.
_DECIDABLE = {
    Order.RETRY: (
        DeliveryState.FAILED,
        DeliveryState.UNKNOWN,
        DeliveryState.EXPIRED,
        DeliveryState.DROPPED,
    ),
    Order.DROP: (
        DeliveryState.PENDING,
        DeliveryState.FAILED,
        DeliveryState.UNKNOWN,
        DeliveryState.EXPIRED,
    ),
}
_BECOMES = {Order.RETRY: DeliveryState.PENDING, Order.DROP: DeliveryState.DROPPED}
_DONE = {Order.RETRY: "retried", Order.DROP: "dropped"}
_HINT = "`syncd outbox list` shows what was not delivered"
# Of tens of thousands at once.
_SECONDS = 50.0


class OutboxStore:
    """Reads `notifications`, and decides about them; `NotificationStore` sends them.

    A decision is refused with `LeaseLost`, and nothing written, once somebody else leads.
    """

    def __init__(self, database: Database, fence: Fence | None = None) -> None:
        self._database = database
        self._fence = fence or Fence()
        self._sql = load_blocks("outbox")

    async def read_page(
        self, wanted: Wanted, before: int | None, limit: int
    ) -> list[dict[str, Any]]:
        """Return deliveries, newest first, numbered below `before`; no address is whole."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(
                self._sql["read_outbox"],
                wanted.states,
                wanted.channel,
                wanted.user_key,
                wanted.id,
                before,
                limit,
                timeout=_SECONDS,
            )
        return [_answer(row) for row in rows]

    async def read(self, delivery_id: int) -> dict[str, Any]:
        """Return one delivery.

        Raises:
            NotKnown: there is none of that number.
        """
        wanted = Wanted(id=delivery_id, states=tuple(DeliveryState))
        found = await self.read_page(wanted, None, 1)
        if not found:
            raise NotKnown(f"there is no delivery {delivery_id}", hint=_HINT)
        return found[0]

    async def decide(
        self, order: Order, delivery_id: int, *, actor: str, at: datetime
    ) -> dict[str, Any]:
        """Let a delivery be sent once more, or never, and return it; repeating changes nothing.

        Raises:
            NotKnown: there is none of that number.
            WrongState: it is being sent or was, or something is in the way that lasts.
        """
        hindrance = ""
        match order:
            case Order.RETRY:
                found = await self._retry(delivery_id, None, at, _DECIDABLE[order])
                hindrance = ", ".join(row["hindrance"] for row in found)
            case Order.DROP:
                await self._drop(delivery_id, actor, at)
        delivery = await self.read(delivery_id)
        if delivery["state"] != _BECOMES[order]:
            why = hindrance or f"it is {_in_words(delivery['state'])}"
            raise WrongState(f"delivery {delivery_id} cannot be {_DONE[order]}: {why}", hint=_HINT)
        return delivery

    async def retry_unknown(self, channel: str | None, *, at: datetime) -> Mapping[str, Any]:
        """Retry all deliveries of which nobody knows whether they arrived.

        Returns how many were `retried`, and how many `left`, by what was in the way.
        """
        rows = await self._retry(None, channel, at, (DeliveryState.UNKNOWN,))
        left = Counter({row["hindrance"]: row["deliveries"] - row["retried"] for row in rows})
        return {"retried": sum(row["retried"] for row in rows), "left": dict(+left)}

    async def mark_read(self, delivery_id: int, at: datetime) -> dict[str, Any]:
        """Note that its user has read a delivery, and return it; the first time counts.

        Raises:
            NotKnown: there is none of that number.
            WrongState: it was not delivered.
        """
        async with self._fence.transaction(self._database) as connection:
            await connection.execute(self._sql["mark_read"], delivery_id, at)
        delivery = await self.read(delivery_id)
        if delivery["read_at"] is None:
            raise WrongState(
                f"delivery {delivery_id} cannot have been read: "
                f"it is {_in_words(delivery['state'])}",
                hint=_HINT,
            )
        return delivery

    async def statistics(self, since: datetime) -> list[dict[str, Any]]:
        """Count what was settled since then, by channel and day, newest day first."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(self._sql["count_deliveries"], since, timeout=_SECONDS)
        return [dict(row) for row in rows]

    async def _retry(
        self,
        delivery_id: int | None,
        channel: str | None,
        at: datetime,
        states: Sequence[DeliveryState],
    ) -> list[Row]:
        async def retry() -> list[Row]:
            async with self._fence.transaction(self._database) as connection:
                return list(
                    await connection.fetch(
                        self._sql["retry_deliveries"],
                        delivery_id,
                        channel,
                        at,
                        states,
                        timeout=_SECONDS,
                    )
                )

        return await self._database.repeat(retry)

    async def _drop(self, delivery_id: int, actor: str, at: datetime) -> None:
        async with self._fence.transaction(self._database) as connection:
            await connection.execute(
                self._sql["drop_delivery"], delivery_id, actor, at, _DECIDABLE[Order.DROP]
            )


def _answer(row: Row) -> dict[str, Any]:
    address = row["address"]
    return {**row, "address": None if address is None else masked(address)}


def _in_words(state: str) -> str:
    match DeliveryState(state):
        case DeliveryState.SENDING:
            return "being sent"
        case DeliveryState.PENDING:
            return "still to be sent"
        case other:
            return str(other)
