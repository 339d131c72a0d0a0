"""How the tables of leaderboards follow their boards, as the newest runs left them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from syncd.model.leaderboard import Drift, Target
from syncd.store.blocks import load_blocks
from syncd.store.database import Database, Row
from syncd.store.journal import drift_from_json, seconds_from_json

_ANY_TABLE = "pomo_leaderboard"


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """A table and its boards; `drift` is as of `at`, by run `run_id`, None before there is any.

    `seconds` is what the phases of the newest run took.
    """

    run_id: int | None = None
    at: datetime | None = None
    drift: Drift | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)


class DriftStore:
    """Reads only; the tables have other owners."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = load_blocks("drift")

    async def followed(self, jobs: Sequence[str]) -> dict[str, Followed]:
        """Return how things stand by job; one that never ran is left out."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(self._sql["followed"], list(jobs))
        return {row["job"]: _followed(row) for row in rows}

    async def last_synced(self, job: str) -> datetime | None:
        """Return when a job's newest run ended that wrote what Redis says."""
        async with self._database.connection() as connection:
            found: datetime | None = await connection.fetchval(self._sql["last_synced"], job)
        return found

    async def count_users(self, target: Target) -> int | None:
        """Count the rows of a table now; None where there is no such table."""
        name = ".".join(map(_quoted, filter(None, (target.schema, target.table))))
        async with self._database.connection() as connection:
            if not await connection.fetchval(self._sql["has_table"], name):
                return None
            text = self._sql["count_users"].replace(_ANY_TABLE, name)
            count: int = await connection.fetchval(text)
        return count


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _followed(row: Row) -> Followed:
    return Followed(
        run_id=row["run_id"],
        at=row["at"],
        drift=None if row["drift"] is None else drift_from_json(row["drift"]),
        seconds=seconds_from_json(row["seconds"] or {}),
    )
