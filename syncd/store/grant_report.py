"""How grants stand and what they brought, for people: never a token, not even a sealed one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from syncd.store.blocks import load_blocks
from syncd.store.database import Database

SOON = timedelta(days=30)
"""Grants that end within this time are told as expiring."""


class GrantReport:
    """Reads only; the tables have other owners."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = load_blocks("grant_report")

    async def count(self, platforms: Sequence[str], at: datetime) -> dict[str, dict[str, Any]]:
        """Return how many grants of each platform are good, suspect, gone or soon over."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(self._sql["count_grants"], at, at + SOON, list(platforms))
        return {row.pop("platform"): row for row in map(dict, rows)}

    async def of_accounts(self, accounts: Sequence[int]) -> dict[int, dict[str, Any]]:
        """Return the grant of each account, with how many plays its user has."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(self._sql["listeners"], list(accounts))
        return {row["id"]: dict(row) for row in rows}
