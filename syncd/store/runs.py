"""The ledger of runs: every fire time and every trigger has one row, which tells how it ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from syncd.errors import LeaseLost
from syncd.model.run import Cause, Ending, Outcome, Report, Run, RunId, RunOptions, SkipReason
from syncd.store.database import Connection, Row
from syncd.store.fires import FireStore

# One "sync now" starts a run per job; this many go back beyond the last one.
_SYNCS = 20


class RunStore(FireStore):
    """Owns the table `runs`, and the reading of `item_outcomes`."""

    async def begin(self, run_id: RunId, at: datetime) -> Run:
        """Mark a claimed or interrupted run as running in this process; safe to repeat.

        Raises:
            LeaseLost: it runs or ended elsewhere.
        """
        async with self._database.transaction() as connection:
            row = await connection.fetchrow(self._sql["begin_run"], run_id, self._holder, at)
            if row is None:
                raise LeaseLost(f"run {run_id} is no longer waiting to start")
            found = await connection.fetchrow(self._sql["read_run"], run_id)
            assert found is not None
            return _to_run(found)

    async def add_report(
        self, connection: Connection, run_id: RunId, report: Report, at: datetime
    ) -> None:
        """Add counts to a run inside the transaction that holds the data they count.

        Raises:
            LeaseLost: the run is not ours any more; the transaction must not commit.
        """
        number = await connection.fetchval(
            self._sql["add_report"],
            run_id,
            self._holder,
            report.created,
            report.updated,
            report.unchanged,
            report.deleted,
            report.skipped,
            report.failed,
            report.calls,
            report.saved,
            at,
            dict(report.failures),
        )
        if number is None:
            raise LeaseLost(f"run {run_id} was taken over or ended; nothing was written")

    async def finish(self, run_id: RunId, ending: Ending, at: datetime) -> Run | None:
        """End a run of ours and return it whole; None when it is not ours or ended otherwise.

        Safe to repeat.
        """
        async with self._database.transaction() as connection:
            ended = await connection.fetchval(
                self._sql["finish_run"],
                run_id,
                self._holder,
                ending.outcome,
                at,
                ending.error,
                ending.hint,
                ending.retryable and ending.outcome is Outcome.FAILED,
            )
            if ended is None:
                return None
            row = await connection.fetchrow(self._sql["read_run"], run_id)
            return None if row is None else _to_run(row)

    async def interrupt(self, run_id: RunId) -> Run | None:
        """Leave a run of ours for the next start to go on with; None when it had ended.

        Safe to repeat.
        """
        async with self._database.transaction() as connection:
            found = await connection.fetchval(self._sql["interrupt_run"], run_id, self._holder)
            row = await connection.fetchrow(self._sql["read_run"], run_id)
            return _to_run(row) if found is not None and row is not None else None

    async def abandon(self, run_id: RunId, at: datetime, why: str) -> None:
        """End a run that nobody will go on with."""
        async with self._database.connection() as connection:
            await connection.execute(self._sql["abandon_run"], run_id, at, why)

    async def recover(self) -> Sequence[Run]:
        """Mark what a dead process left running as interrupted; return all that waits to go on."""
        async with self._database.transaction() as connection:
            await connection.execute(self._sql["interrupt_left_runs"], self._holder)
            rows = await connection.fetch(self._sql["open_runs"])
        return [_to_run(row) for row in rows]

    async def read(self, run_id: int) -> Run | None:
        """Return a run, or None when there is none of that number."""
        async with self._database.connection() as connection:
            row = await connection.fetchrow(self._sql["read_run"], run_id)
        return None if row is None else _to_run(row)

    async def list_newest(self, job: str | None, before: int | None, limit: int) -> list[Run]:
        """Return at most `limit` runs, newest first, numbered below `before`."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(self._sql["list_runs"], job, before, limit)
        return [_to_run(row) for row in rows]

    async def syncs_of(self, user_key: str) -> list[Run]:
        """Return the newest runs that fetched one user because a person asked, newest first."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(self._sql["syncs_of_user"], user_key, _SYNCS)
        return [_to_run(row) for row in rows]

    async def last_of(self, jobs: Sequence[str]) -> dict[str, Run]:
        """Return each job's newest run that was not skipped."""
        return await self._last(dict.fromkeys(jobs), verdicts=False)

    async def verdicts(self, limits: Mapping[str, int | None]) -> dict[str, Run]:
        """Return each job's newest run that tells how the job is.

        One that goes on, was cancelled, was a dry run or was narrowed says nothing about the run
        before it. A limit narrows where it is below the job's own, in `limits`, and was reached.
        """
        return await self._last(limits, verdicts=True)

    async def _last(self, limits: Mapping[str, int | None], *, verdicts: bool) -> dict[str, Run]:
        async with self._database.connection() as connection:
            rows = await connection.fetch(
                self._sql["last_runs"], list(limits), verdicts, list(limits.values())
            )
        return {row["job"]: _to_run(row) for row in rows}

    async def cycle_start(self, job: str) -> datetime | None:
        """Return when the job's last whole pass began; None when there was none."""
        async with self._database.connection() as connection:
            found: datetime | None = await connection.fetchval(self._sql["cycle_start"], job)
        return found

    async def items(self, run_id: int, outcome: str | None, limit: int) -> list[dict[str, Any]]:
        """Return the items a run changed, skipped or failed, oldest first."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(self._sql["run_items"], run_id, outcome, limit)
        return [dict(row) for row in rows]


def _to_run(row: Row) -> Run:
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
        report=Report(
            **{name: row[name] for name in ("created", "updated", "unchanged", "deleted")},
            **{name: row[name] for name in ("skipped", "failed", "calls", "saved")},
            failures=row["failures"],
        ),
        error=row["error"],
        hint=row["hint"],
        retryable=row["retryable"],
    )
