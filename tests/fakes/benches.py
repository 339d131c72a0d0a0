"""Boards as a reader would hand them to the store, and a run of them through a bench."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from fakes.clock import START

from syncd.clock import SystemClock
from syncd.model.leaderboard import (
    Comparison,
    Drift,
    Guard,
    Page,
    PlanId,
    Poisoned,
    Target,
    Verdict,
)
from syncd.model.run import Cause, Outcome, Report, Run, RunId, RunOptions
from syncd.store.books import Applied, Books
from syncd.store.database import Database
from syncd.store.leaderboards import LeaderboardStore
from syncd.store.runs import RunStore

JOB = "leaderboard"
BOARDS = ("daily", "weekly", "monthly", "yearly")
TARGET = Target(table="pomo_leaderboard", columns={name: f"{name}_pomo" for name in BOARDS})
AT = START
PROMPT = Guard(runs=1, wait=timedelta(0))
"""A guard that lets delete at once."""

Scores = Sequence[float | None]


def line(user: str, scores: Scores, told_at: datetime | None = None) -> bytes:
    """One user in COPY's text format."""
    escaped = user.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")
    fields = [escaped, *("\\N" if score is None else repr(score) for score in scores)]
    fields.append("\\N" if told_at is None else told_at.isoformat())
    return "\t".join(fields).encode() + b"\n"


async def pages(
    users: Mapping[str, Scores] | Sequence[tuple[str, Scores]],
    *,
    told: Mapping[str, datetime] | None = None,
    poisoned: Sequence[Poisoned] = (),
    size: int = 1_000,
) -> AsyncIterator[Page]:
    """Hand out users as pages, and those who were set aside with the first."""
    rows = list(users.items() if isinstance(users, Mapping) else users)
    width = len(rows[0][1]) if rows else len(BOARDS)
    for start in range(0, max(1, len(rows)), size):
        part = rows[start : start + size]
        yield Page(
            lines=b"".join(line(user, scores, (told or {}).get(user)) for user, scores in part),
            rows=len(part),
            members=tuple(sum(scores[n] is not None for _, scores in part) for n in range(width)),
            poisoned=tuple(poisoned) if start == 0 else (),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Passed:
    """What a pass came to."""

    comparison: Comparison
    applied: Applied
    drift: Drift
    run_id: int


@dataclass(slots=True, kw_only=True)
class World:
    """A store, and runs that nobody but the test executes."""

    database: Database
    runs: RunStore
    store: LeaderboardStore
    target: Target = TARGET
    at: datetime = AT
    guard: Guard = PROMPT
    verdict: Verdict = field(default_factory=Verdict)
    applies: PlanId | None = None

    @classmethod
    def over(cls, database: Database, *, batch: int = 50_000, **changes: Any) -> World:
        runs = RunStore(database, "one")
        store = LeaderboardStore(database, runs, batch=batch)
        return cls(database=database, runs=runs, store=store, **changes)

    async def begin(self) -> RunId:
        """Create a run and begin it."""
        run = Run(
            id=RunId(0),
            job=JOB,
            kind="leaderboard",
            cause=Cause.MANUAL,
            outcome=Outcome.CLAIMED,
            options=RunOptions(),
            claimed_at=SystemClock().now(),
        )
        run_id = await self.runs.create(run)
        await self.runs.begin(run_id, self.at)
        return run_id

    async def sync(
        self, users: Any, *, run_id: RunId | None = None, partial: bool = False, **more: Any
    ) -> Passed:
        """Do what a run does, with the verdict that is set."""
        run_id = run_id or await self.begin()
        async with self.store.bench(JOB, self.target) as bench:
            await bench.check()
            await bench.stage(pages(users, **more))
            comparison = await bench.compare(partial=partial, guard=self.guard, at=self.at)
            applied = await bench.apply(run_id, self.at, self.verdict, self.books(partial))
            drift = await bench.drift()
            await bench.note_drift(run_id, drift, {"verify": 0.1})
        return Passed(comparison=comparison, applied=applied, drift=drift, run_id=run_id)

    def books(self, partial: bool = False) -> Books:
        mode = "incremental" if partial else "full"
        return Books(mode=mode, is_complete=not partial, applies=self.applies)

    async def report(self, run_id: int) -> Report:
        run = await self.runs.read(run_id)
        assert run is not None
        return run.report

    async def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        async with self.database.connection() as connection:
            return [dict(row) for row in await connection.fetch(query, *values)]

    async def value(self, query: str, *values: Any) -> Any:
        async with self.database.connection() as connection:
            return await connection.fetchval(query, *values)

    async def table(self) -> dict[str, tuple[float, ...]]:
        """Return who is in the table, with what scores."""
        rows = await self.rows("SELECT * FROM pomo_leaderboard ORDER BY user_id")
        return {row["user_id"]: tuple(row[f"{name}_pomo"] for name in BOARDS) for row in rows}
