"""How the tables of leaderboards follow their boards, as the newest runs left them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from syncd.model.leaderboard import BoardDrift, Drift, PlanId, PlanState, Target
from syncd.store.blocks import load_blocks
from syncd.store.database import Database, Row

_ANY_TABLE = "pomo_leaderboard"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenPlan:
    """Deletions, and updates where `holds_updates`, that wait: for a person, or the next run."""

    id: PlanId
    state: PlanState
    deletes: int
    updates: int
    holds_updates: bool
    base: int
    reasons: tuple[str, ...]
    is_hard: bool
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """A table and its boards; `drift` is as of `at`, by run `run_id`, None before the first one.

    `reasons` and `is_hard` are the verdict of the newest run, `seconds` what its phases took.
    """

    run_id: int | None
    at: datetime | None
    drift: Drift | None
    reasons: tuple[str, ...] = ()
    is_hard: bool = False
    seconds: Mapping[str, float] = field(default_factory=dict)
    plan: OpenPlan | None = None


class DriftStore:
    """Reads only; the tables have other owners."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = load_blocks("drift")

    async def followed(self, jobs: Sequence[str], now: datetime) -> dict[str, Followed]:
        """Return how things stand by job; one that never ran is left out."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(self._sql["followed"], list(jobs), now)
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
    numbers: Mapping[str, Any] = row["numbers"]
    verdict = numbers.get("verdict") or {}
    return Followed(
        run_id=row["run_id"],
        at=row["at"],
        drift=None if row["drift"] is None else _drift(row["drift"]),
        reasons=tuple(verdict.get("reasons", ())),
        is_hard=bool(verdict.get("is_hard")),
        seconds=numbers.get("seconds") or {},
        plan=None if row["plan_id"] is None else _plan(row),
    )


def _drift(told: Mapping[str, Any]) -> Drift:
    boards = {name: BoardDrift(**board) for name, board in (told.get("boards") or {}).items()}
    return Drift(**{**told, "boards": boards})


def _plan(row: Row) -> OpenPlan:
    return OpenPlan(
        id=PlanId(row["plan_id"]),
        state=PlanState(row["state"]),
        deletes=row["deletes"],
        updates=row["updates"],
        holds_updates=row["holds_updates"],
        base=row["base"],
        reasons=tuple(row["reasons"]),
        is_hard=row["is_hard"],
        expires_at=row["expires_at"],
    )
