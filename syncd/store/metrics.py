"""What metrics ask the store: each question is one statement over everything it is about."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from syncd.store.blocks import load_blocks
from syncd.store.database import Database

QUANTILES = ("0.5", "0.9", "0.99")
"""Of the ages that `freshness_since` returns, in its order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Synced:
    """A job, and since when its accounts on a platform must have had a success to be fresh."""

    job: str
    kind: str
    platform: str
    since: datetime


class MetricStore:
    """Reads only; the tables have other owners."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = load_blocks("metrics")

    async def freshness_since(self, synced: Iterable[Synced]) -> dict[str, Sequence[datetime]]:
        """Return per platform since when accounts have been without news, by `QUANTILES`."""
        pairs = sorted({(one.kind, one.platform) for one in synced})
        kinds, platforms = [kind for kind, _ in pairs], [platform for _, platform in pairs]
        async with self._database.connection() as connection:
            rows = await connection.fetch(self._sql["freshness_ages"], kinds, platforms)
        return {row["platform"]: row["since"] for row in rows}

    async def fresh_shares(self, synced: Sequence[Synced]) -> dict[str, float]:
        """Return the share of fresh accounts per job; a job that follows nobody has none."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(
                self._sql["fresh_shares"],
                [one.job for one in synced],
                [one.kind for one in synced],
                [one.platform for one in synced],
                [one.since for one in synced],
            )
        return {row["job"]: row["share"] for row in rows}

    async def last_successes(self, jobs: Sequence[str]) -> dict[str, datetime]:
        """Return when each job's newest run about everybody that succeeded ended."""
        return await self._ends("last_successes", jobs)

    async def last_completed(self, jobs: Sequence[str]) -> dict[str, datetime]:
        """Return when each job's newest run that went through everybody ended."""
        return await self._ends("last_completed", jobs)

    async def _ends(self, block: str, jobs: Sequence[str]) -> dict[str, datetime]:
        async with self._database.connection() as connection:
            rows = await connection.fetch(self._sql[block], list(jobs))
        return {row["job"]: row["finished_at"] for row in rows}
