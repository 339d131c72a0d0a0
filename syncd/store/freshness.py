"""What has not been fresh for longest, and everything on record about one user's accounts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from syncd.store.blocks import load_blocks
from syncd.store.database import Database

Reading = tuple[str, str]
"""A job kind, and a platform that jobs of that kind read."""


class FreshnessStore:
    """Answers questions about freshness; it writes nothing."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = load_blocks("freshness")

    async def stalest(self, readings: Sequence[Reading], limit: int) -> list[dict[str, Any]]:
        """Return active accounts, those first that never had a good answer, then by its age."""
        kinds, platforms = _columns(readings)
        async with self._database.connection() as connection:
            rows = await connection.fetch(self._sql["stale_accounts"], kinds, platforms, limit)
        return [dict(row) for row in rows]

    async def count_stale(self, since: Mapping[Reading, datetime | None]) -> int:
        """Count active accounts without a good answer since an instant; None counts nobody."""
        kinds, platforms = _columns(list(since))
        async with self._database.connection() as connection:
            found: int = await connection.fetchval(
                self._sql["count_stale"], kinds, platforms, list(since.values())
            )
        return found

    async def accounts_of(self, key: str, readings: Sequence[Reading]) -> list[dict[str, Any]]:
        """Return a user's accounts, once for each kind that reads them; kind "" where none does."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(self._sql["accounts_of_user"], key, *_columns(readings))
        return [dict(row) for row in rows]

    async def attempts(self, accounts: Sequence[int], limit: int) -> list[dict[str, Any]]:
        """Return the newest attempts on record of each account, newest first."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(
                self._sql["attempts_of_accounts"], sorted(set(accounts)), limit
            )
        return [dict(row) for row in rows]


def _columns(readings: Sequence[Reading]) -> tuple[list[str], list[str]]:
    return [kind for kind, _ in readings], [platform for _, platform in readings]
