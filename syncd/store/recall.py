"""Taking back: copies of the table from before large changes, and rows put back as they were.

A row that somebody wrote since then stays as it is; a row that PostgreSQL refuses is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from syncd.errors import WrongState
from syncd.model.leaderboard import BackupId
from syncd.model.run import Report, RunId
from syncd.store.changes import Changes, Planned
from syncd.store.counts import Tally
from syncd.store.runs import RunStore
from syncd.store.stage import Stage
from syncd.store.statements import Statements
from syncd.store.steps import to_report

ScoreRow = tuple[str, tuple[float, ...]]


class Recall(Stage):
    """Keeps what a run is about to change, and brings it back when a person asks for it."""

    def __init__(self, job: str, statements: Statements, runs: RunStore, batch: int) -> None:
        super().__init__(job, statements)
        self._runs = runs
        self._batch = batch

    async def back_up(self, run_id: RunId, at: datetime, keep: timedelta) -> BackupId:
        """Copy the table as it is before a run changes it; a run has one copy, from its begin."""

        async def copy() -> BackupId:
            found = await self._do.rows("find_backup", None, run_id, self._job)
            if found:
                return BackupId(found[0]["id"])
            row = await self._do.row("next_backup")
            rows = await self._do.execute("create_backup", backup=row["backup"])
            values = (run_id, row["table_name"], self._do.place, rows, at, at + keep)
            await self._do.execute("note_backup", row["id"], self._job, *values)
            return BackupId(row["id"])

        await self._do.hasten()
        return await self._do.write(copy)

    async def undo(self, run_id: RunId, of: int, at: datetime) -> Report:
        """Put back what a run deleted; safe to repeat. Return the counts of this run.

        Raises:
            WrongState: it deleted nothing from this table, or that is too long ago.
        """
        place = self._do.place
        await self._recall("recall_tombstones", of, self._job, place)
        buried = await self._do.row("count_tombstones", of, self._job, place)
        if not buried["rows"]:
            raise WrongState(
                f"run {of} deleted nothing from table {place} that could be had back",
                hint="tombstones are about the table that the run worked on, and kept for a time",
            )
        return await self._put_back(run_id, at, buried["rows"], of)

    async def restore(self, run_id: RunId, backup: int, at: datetime) -> Report:
        """Make rows what they are in a copy, where they differ; safe to repeat.

        Rows that came since then stay.

        Raises:
            WrongState: there is no such copy of this table.
        """
        found = await self._do.rows("find_backup", backup, None, self._job)
        if not found or found[0]["target"] != self._do.place:
            raise WrongState(
                f"there is no backup {backup} of table {self._do.place} by job {self._job}",
                hint=f"`syncd backups {self._job}` lists those that are kept",
            )
        await self._recall("recall_backup", backup=found[0]["backup"])
        return await self._put_back(run_id, at, found[0]["rows"])

    async def scores(self, after: str, limit: int) -> Sequence[ScoreRow]:
        """Return users who have a score, in the order of their ids behind `after`."""
        names = self._do.scores
        rows = await self._do.rows("next_scores", after, limit)
        return [(row["user_id"], tuple(row[name] for name in names)) for row in rows]

    async def count(self, run_id: RunId, report: Report, at: datetime) -> None:
        """Add counts to a run that writes elsewhere."""

        async def count() -> None:
            await self._runs.add_report(self._do.connection, run_id, report, at)

        await self._do.write(count)

    async def _recall(self, block: str, *values: object, **holes: str) -> None:
        await self._do.stage("drop_stage", "stage_poisoned", "stage_recalled")
        await self._do.execute(block, *values, **holes)

    async def _put_back(
        self, run_id: RunId, at: datetime, rows: int, of: int | None = None
    ) -> Report:
        counts = await self._do.row("count_recalled")
        holes = await self._do.row("recalled_columns", self._do.table)
        planned = [
            Planned("put_back", "lb_recalled", ("create",), counts["created"]),
            Planned("set_back", "lb_recalled", ("update",), counts["updated"]),
        ]

        async def count(tally: Tally) -> None:
            report = Report(created=tally.created, updated=tally.updated)
            await self._runs.add_report(self._do.connection, run_id, report, at)

        async def close(_: Tally, last: Tally) -> Report:
            if of is not None:
                await self._do.execute("note_restored", of, at)
            so_far = to_report(await self._do.row("counted", run_id))
            refused = (await self._do.row("count_recalled"))["refused"]
            written = so_far.created + so_far.updated + last.created + last.updated
            report = Report(
                created=last.created,
                updated=last.updated,
                unchanged=max(0, rows - written - refused) - so_far.unchanged,
                skipped=refused - so_far.skipped,
                failures={"refused": refused} if refused > so_far.skipped else {},
            )
            await self._runs.add_report(self._do.connection, run_id, report, at)
            return so_far + report

        await self._do.hasten()
        return await Changes(self._do, self._batch, **dict(holes)).carry_out(
            planned, 0, count, close
        )
