"""The steps of a run in the ledger: begun, read, ended, for all runs that take one at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from syncd.errors import LeaseLost
from syncd.model.run import Cause, Ending, Outcome, Report, Run, RunId, RunOptions, SkipReason
from syncd.store.blocks import load_blocks
from syncd.store.database import Database, Row
from syncd.store.fence import Fence
from syncd.store.fires import FireStore
from syncd.store.together import Together
from syncd.store.translation import RowRefused

_Ended = tuple[int, Ending, datetime]


class StepStore(FireStore):
    """Owns the rows of `runs` from their begin to their end.

    Steps that are asked for at the same time are one statement. Those that write are refused with
    `LeaseLost`, and nothing written, once somebody else leads.
    """

    def __init__(self, database: Database, process: str, fence: Fence | None = None) -> None:
        super().__init__(database, process, fence)
        self._steps = load_blocks("steps")
        self._begins = Together(self._begin_all)
        self._finishes = Together(self._finish_all)
        self._reads = Together(self._read_all)
        self._cycles = Together(self._cycle_starts)

    async def begin(self, run_id: RunId, at: datetime) -> Run:
        """Mark a claimed or interrupted run as running in this process; safe to repeat.

        Raises:
            LeaseLost: it runs or ended elsewhere.
        """
        run = await self._begins.ask((run_id, at))
        if run is None:
            raise LeaseLost(f"run {run_id} is no longer waiting to start")
        return run

    async def finish(self, run_id: RunId, ending: Ending, at: datetime) -> Run | None:
        """End a run of ours and return it whole; None when it is not ours or ended otherwise.

        Safe to repeat.
        """
        try:
            return await self._finishes.ask((run_id, ending, at))
        except RowRefused:
            plain = replace(ending, error="it ended with words that cannot be stored", hint="")
            return await self._finishes.ask((run_id, plain, at))

    async def read(self, run_id: int) -> Run | None:
        """Return a run, or None when there is none of that number."""
        return await self._reads.ask(run_id)

    async def cycle_start(self, job: str) -> datetime | None:
        """Return when the job's last whole pass began; None when there was none."""
        return await self._cycles.ask(job)

    async def _written(self, block: str, *values: Any) -> Sequence[Row]:
        """Write by one statement that shows the epoch; return the runs that were written."""
        rows = await self.fence.write(self._database, self._steps[block], *values)
        return [row for row in rows if row["id"] is not None]

    async def _begin_all(self, asked: Sequence[tuple[int, datetime]]) -> Sequence[Run | None]:
        numbers = [number for number, _ in asked]
        times = [at for _, at in asked]
        rows = await self._written("begin_runs", numbers, times, self._holder)
        return _in_order(numbers, rows)

    async def _finish_all(self, ended: Sequence[_Ended]) -> Sequence[Run | None]:
        numbers = [number for number, _, _ in ended]
        endings = [ending for _, ending, _ in ended]
        rows = await self._written(
            "finish_runs",
            numbers,
            [ending.outcome for ending in endings],
            [at for _, _, at in ended],
            [_storable(ending.error) for ending in endings],
            [_storable(ending.hint) for ending in endings],
            [each.retryable and each.outcome is Outcome.FAILED for each in endings],
            self._holder,
        )
        found = zip(endings, _in_order(numbers, rows), strict=True)
        return [run if run and run.outcome is ending.outcome else None for ending, run in found]

    async def _read_all(self, numbers: Sequence[int]) -> Sequence[Run | None]:
        async with self._database.connection() as connection:
            rows = await connection.fetch(self._steps["read_runs"], numbers)
        return _in_order(numbers, rows)

    async def _cycle_starts(self, jobs: Sequence[str]) -> Sequence[datetime | None]:
        async with self._database.connection() as connection:
            rows = await connection.fetch(self._steps["cycle_starts"], jobs)
        starts: Mapping[str, datetime | None] = {row["job"]: row["began_at"] for row in rows}
        return [starts[job] for job in jobs]


def _in_order(numbers: Sequence[int], rows: Sequence[Row]) -> Sequence[Run | None]:
    """Return the runs of these numbers, None for one that has no row."""
    runs = {row["id"]: to_run(row) for row in rows}
    return [runs.get(number) for number in numbers]


def _storable(text: str) -> str:
    """Return a text without what none in PostgreSQL can hold: NUL, half a surrogate pair."""
    return text.replace("\0", "?").encode("utf-8", "replace").decode()


def to_run(row: Row) -> Run:
    """Return a row of `runs` as a run."""
    options = row["options"]
    return Run(
        id=RunId(row["id"]),
        job=row["job"],
        kind=row["kind"],
        cause=Cause(row["cause"]),
        outcome=Outcome(row["outcome"]),
        fire_time=row["fire_time"],
        due_at=row["due_at"],
        fires_since=row["fires_since"],
        origin=None if row["origin"] is None else RunId(row["origin"]),
        skip_reason=SkipReason(row["skip_reason"]) if row["skip_reason"] else None,
        options=RunOptions(**{**options, "only": tuple(options.get("only", ()))}),
        attempt=row["attempt"],
        resumed=row["resumed"],
        claimed_at=row["claimed_at"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
        report=to_report(row),
        error=row["error"],
        hint=row["hint"],
        retryable=row["retryable"],
    )


def to_report(row: Row | Mapping[str, Any]) -> Report:
    """Return the counts of a row as a report."""
    return Report(
        **{name: row[name] for name in ("created", "updated", "unchanged", "deleted")},
        **{name: row[name] for name in ("skipped", "failed", "calls", "saved")},
        failures=row["failures"],
    )
