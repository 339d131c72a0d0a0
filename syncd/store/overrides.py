"""What people changed of jobs: kept here, so that it survives a restart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple

from syncd.model.override import Override
from syncd.store.blocks import load_blocks
from syncd.store.database import Database
from syncd.store.fence import Fence


class OverrideStore:
    """Owns the table `job_overrides`.

    Every write is refused with `LeaseLost`, and nothing written, once somebody else leads.
    """

    def __init__(self, database: Database, fence: Fence | None = None) -> None:
        self._database = database
        self._fence = fence or Fence()
        self._sql = load_blocks("overrides")

    async def keep(self, override: Override) -> None:
        """Keep what was changed of a job, in place of what was changed of it before."""
        async with self._fence.transaction(self._database) as connection:
            await connection.execute(self._sql["keep_override"], *astuple(override))

    async def drop(self, job: str) -> None:
        """Forget what was changed of a job; nothing happens when there was nothing."""
        async with self._fence.transaction(self._database) as connection:
            await connection.execute(self._sql["drop_override"], job)

    async def read_all(self) -> Sequence[Override]:
        """Return what was changed, also of jobs that config.toml no longer has."""
        async with self._database.connection() as connection:
            return [Override(**row) for row in await connection.fetch(self._sql["all_overrides"])]
