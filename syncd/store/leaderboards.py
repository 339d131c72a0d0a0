"""Leaderboards in PostgreSQL: a bench for each run, and what runs came to."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

from syncd.errors import RunError
from syncd.model.leaderboard import Reconciliation, SourceFacts, Target
from syncd.store.bench import Bench
from syncd.store.blocks import load_blocks
from syncd.store.database import Database
from syncd.store.journal import source_from_json, to_reconciliation
from syncd.store.plans import PlanStore
from syncd.store.runs import RunStore
from syncd.store.statements import Statements

# One hash of the boards of a million users fits into twice this, which is what hashes may take.
_WORK_MEMORY = "128MB"


class LeaderboardStore:
    """Owns the tables `leaderboard_*` and `reconciliations`, and writes the tables that follow."""

    def __init__(self, database: Database, runs: RunStore) -> None:
        self._database = database
        self._runs = runs
        self._plans = PlanStore(database, runs.fence)
        self._sql = load_blocks("leaderboard")

    @contextlib.asynccontextmanager
    async def bench(self, job: str, target: Target) -> AsyncIterator[Bench]:
        """Lend a bench on a connection of its own; nothing of it is left afterwards.

        Raises:
            RunError: another run, of whichever syncd, is about this table.
        """
        async with self._database.connection(at_leisure=True) as connection:
            do = Statements(connection, self._database, self._runs.fence, target)
            epoch = self._runs.fence.epoch or 0
            try:
                await self._begin(do, epoch)
                yield Bench(job, do, self._runs, self._plans)
                await do.execute("drop_stage")
                if not self._database.is_pooled:
                    await do.execute("unlock_target", do.place)
                    await do.execute("unmark_epoch", epoch)
            except BaseException:
                # Lock and temporary tables end with the connection, in whatever state it is.
                connection.terminate()
                raise

    async def read(self, run_id: int) -> Reconciliation | None:
        """Return what a run came to; None of one that did not get that far."""
        return await self._read(run_id, None)

    async def newest(self, job: str) -> Reconciliation | None:
        """Return what the last run of a job came to that was no dry run."""
        return await self._read(None, job)

    async def last_source(self, job: str) -> tuple[int, datetime, SourceFacts] | None:
        """Return what Redis said to the last complete run that found it in order, and when."""
        async with self._database.connection() as connection:
            row = await connection.fetchrow(self._sql["last_source"], job)
        if row is None:
            return None
        return row["run_id"], row["at"], source_from_json(row["source"])

    async def _begin(self, do: Statements, epoch: int) -> None:
        within = "_within" if self._database.is_pooled else ""
        await do.rows("settle", _WORK_MEMORY, self._database.is_pooled)
        await do.execute(f"mark_epoch{within}", epoch)
        is_ours = (await do.row(f"lock_target{within}", do.place))[0]
        if not is_ours and await do.rows("end_elders", do.place, epoch):
            is_ours = (await do.row(f"lock_target{within}", do.place))[0]
        if not is_ours:
            raise RunError(
                f"another run is about table {do.place} at this moment",
                hint="one job of one syncd at a time works on a table; this one may be tried again",
            )

    async def _read(self, *chosen: Any) -> Reconciliation | None:
        async with self._database.connection() as connection:
            row = await connection.fetchrow(self._sql["read_reconciliation"], *chosen)
        return None if row is None else to_reconciliation(dict(row))
