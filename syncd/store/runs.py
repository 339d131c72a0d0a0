"""The ledger of runs: every fire time and every trigger has one row, which tells how it ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from syncd.errors import LeaseLost
from syncd.model.run import Outcome, PlatformReport, Report, Run, RunId
from syncd.store.database import Connection
from syncd.store.steps import StepStore, to_report, to_run

# One "sync now" starts a run per job; this many go back beyond the last one.
_SYNCS = 20


class Share(NamedTuple):
    """Whose counts are added to a run: a platform's, of which `asked` answers took `seconds`."""

    platform: str | None
    asked: int = 0
    seconds: float = 0.0


NO_SHARE = Share(platform=None)
"""Counts that are about no platform."""


class RunStore(StepStore):
    """Owns the tables `runs` and `run_platforms`, and the reading of `item_outcomes`."""

    async def add_report(
        self,
        connection: Connection,
        run_id: RunId,
        report: Report,
        at: datetime,
        share: Share = NO_SHARE,
    ) -> None:
        """Add counts to a run inside the transaction that holds the data they count.

        Raises:
            LeaseLost: the run is not ours any more; the transaction must not commit.
        """
        [counted] = await self.fence.written(
            connection,
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
            *share,
        )
        if counted["id"] is None:
            raise LeaseLost(f"run {run_id} was taken over or ended; nothing was written")

    async def platform_reports(
        self, runs: Sequence[int]
    ) -> Mapping[int, Mapping[str, PlatformReport]]:
        """Return what runs came to on each platform; one without such counts has none."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(self._sql["platform_reports"], runs)
        found: dict[int, dict[str, PlatformReport]] = {number: {} for number in runs}
        for row in rows:
            found[row["run_id"]][row["platform"]] = PlatformReport(
                report=to_report(row), asked=row["asked"], seconds=row["seconds"]
            )
        return found

    async def interrupt(self, run_id: RunId) -> Run | None:
        """Leave a run of ours for the next start to go on with; None when it had ended.

        Safe to repeat.
        """
        async with self.fence.transaction(self._database) as connection:
            found = await connection.fetchval(self._sql["interrupt_run"], run_id, self._holder)
            row = await connection.fetchrow(self._sql["read_run"], run_id)
            return to_run(row) if found is not None and row is not None else None

    async def abandon(
        self, run_id: RunId, at: datetime, why: str, outcome: Outcome = Outcome.ABANDONED
    ) -> None:
        """End a run that nobody will go on with."""
        async with self.fence.transaction(self._database) as connection:
            await connection.execute(self._sql["abandon_run"], run_id, at, why, outcome)

    async def recover(self) -> Sequence[Run]:
        """Mark what a dead process left running as interrupted; return all that waits to go on."""
        async with self.fence.transaction(self._database) as connection:
            await connection.execute(self._sql["interrupt_left_runs"], self._holder)
            rows = await connection.fetch(self._sql["open_runs"])
        return [to_run(row) for row in rows]

    async def list_newest(self, job: str | None, before: int | None, limit: int) -> list[Run]:
        """Return at most `limit` runs, newest first, numbered below `before`."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(self._sql["list_runs"], job, before, limit)
        return [to_run(row) for row in rows]

    async def syncs_of(self, user_key: str) -> list[Run]:
        """Return the newest runs that fetched one user because a person asked, newest first."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(self._sql["syncs_of_user"], user_key, _SYNCS)
        return [to_run(row) for row in rows]

    async def last_of(self, jobs: Sequence[str]) -> dict[str, Run]:
        """Return the newest run of each job that did its own work: none skipped, dry, or an act."""
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
        return {row["job"]: to_run(row) for row in rows}

    async def items(self, run_id: int, outcome: str | None, limit: int) -> list[dict[str, Any]]:
        """Return the items a run changed, skipped or failed, oldest first."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(self._sql["run_items"], run_id, outcome, limit)
        return [dict(row) for row in rows]
