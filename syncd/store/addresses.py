"""Where users are reached: an address per user and channel, as they may end it themselves."""

from __future__ import annotations

from datetime import datetime

from syncd.store.blocks import load_blocks
from syncd.store.database import Database
from syncd.store.fence import Fence


class AddressStore:
    """Ends addresses of the table `notify_addresses`.

    A write is refused with `LeaseLost`, and nothing written, once somebody else leads.
    """

    def __init__(self, database: Database, fence: Fence | None = None) -> None:
        self._database = database
        self._fence = fence or Fence()
        self._sql = load_blocks("addresses")

    async def turn_off(self, user: str, channel: str, reason: str, at: datetime) -> bool:
        """Write to a user over a channel no more; False where that was so, or they are gone.

        Args:
            user: the user's key.
            channel: the channel's name.
            reason: why, for whoever looks.
            at: when they said so.
        """
        async with self._fence.transaction(self._database) as connection:
            row = await connection.fetchval(
                self._sql["turn_address_off"], user, channel, reason, at
            )
        return row is not None
