"""Pauses a person asked for: kept here, so that they survive a restart."""

from __future__ import annotations

from collections.abc import Sequence

from syncd.model.pause import Pause, PauseScope
from syncd.store.blocks import load_blocks
from syncd.store.database import Database
from syncd.store.fence import Fence


class PauseStore:
    """Owns the table `pauses`.

    Every write is refused with `LeaseLost`, and nothing written, once somebody else leads.
    """

    def __init__(self, database: Database, fence: Fence | None = None) -> None:
        self._database = database
        self._fence = fence or Fence()
        self._sql = load_blocks("pauses")

    async def pause(self, pause: Pause) -> None:
        """Keep a pause; one of the same scope and key is replaced."""
        async with self._fence.transaction(self._database) as connection:
            await connection.execute(
                self._sql["pause"],
                pause.scope,
                pause.key,
                pause.why,
                pause.until,
                pause.actor,
                pause.paused_at,
            )

    async def resume(self, scope: PauseScope, key: str) -> bool:
        """End a pause; False when there was none."""
        async with self._fence.transaction(self._database) as connection:
            return await connection.fetchval(self._sql["resume"], scope, key) is not None

    async def read(self) -> Sequence[Pause]:
        """Return every pause that nobody resumed, also those that have ended."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(self._sql["read_pauses"])
        return [Pause(**{**row, "scope": PauseScope(row["scope"])}) for row in rows]
