"""Leaderboards in PostgreSQL: a bench for each run, and what runs came to."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import asyncpg

from syncd.errors import TargetBusy
from syncd.model.leaderboard import Reconciliation, Target
from syncd.store.bench import Bench
from syncd.store.blocks import fill, load_blocks
from syncd.store.database import Database, atomic
from syncd.store.journal import LastSource, to_last_source, to_reconciliation
from syncd.store.plans import KEPT_WHEN_APPLIED, PlanStore
from syncd.store.runs import RunStore
from syncd.store.statements import Statements

# PostgreSQL's own default, whatever the server is set to: a hash of a million users taken in parts
# that fit the processor's cache is compared in 0.8 s, as a whole, with 128 MB, in 1.5 s.
_WORK_MEMORY = "4MB"
# Changes of more rows than this, and of more than a tenth of the table, are several transactions.
_BATCH = 50_000
_AT_ONCE = 20_000

COPIES = 5
"""So many copies of a table are kept at most: much may change every hour."""


class LeaderboardStore:
    """Owns the tables `leaderboard_*` and `reconciliations`, and writes the tables that follow."""

    def __init__(self, database: Database, runs: RunStore, *, batch: int = _BATCH) -> None:
        self._database = database
        self._batch = batch
        self._runs = runs
        self._sql = load_blocks("leaderboard")

    @contextlib.asynccontextmanager
    async def bench(self, job: str, target: Target) -> AsyncIterator[Bench]:
        """Lend a bench on a connection of its own; nothing of it is left afterwards.

        Raises:
            TargetBusy: another run, of whichever syncd, is about this table.
        """
        async with self._database.connection(at_leisure=True) as connection:
            do = Statements(connection, self._database, self._runs.fence, target)
            epoch = self._runs.fence.epoch or 0
            try:
                await self._begin(do, epoch)
                yield Bench(job, do, self._runs, self._batch)
                await do.leave()
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

    async def last_source(self, job: str) -> LastSource | None:
        """Return what Redis said to the last complete run that found it in order, and when."""
        async with self._database.connection() as connection:
            row = await connection.fetchrow(self._sql["last_source"], job)
        return None if row is None else to_last_source(row)

    async def expire(self, job: str, at: datetime, tombstones: timedelta) -> None:
        """Drop a job's copies and tombstones whose time is over, and copies that are too many.

        Plans of whichever job expire as well.

        Safe to repeat; a run calls it at its end.
        """
        async with self._database.connection() as connection:
            looked = (job, at, at - tombstones, COPIES, at - KEPT_WHEN_APPLIED)
            has_old = await connection.fetchrow(self._sql["has_old"], *looked)
        assert has_old is not None
        if has_old["of_job"]:
            await self._expire_copies(job, at)
            await self._forget_tombstones(job, at - tombstones)
        if has_old["of_plans"]:
            await PlanStore(self._database, self._runs.fence).expire(at)

    async def _expire_copies(self, job: str, at: datetime) -> None:
        async with self._database.connection() as connection:
            old = await connection.fetch(self._sql["old_backups"], job, at, COPIES)
        for row in old:
            drop = fill(self._sql["drop_backup"], {"backup": row["backup"]}, [])
            async with self._runs.fence.transaction(self._database) as connection:
                await connection.execute(drop)
                await connection.execute(self._sql["forget_backup"], row["id"])

    async def _forget_tombstones(self, job: str, before: datetime) -> None:
        done = f"DELETE {_AT_ONCE}"
        while done == f"DELETE {_AT_ONCE}":
            async with self._runs.fence.transaction(self._database) as connection:
                done = await connection.execute(
                    self._sql["forget_tombstones"], job, before, _AT_ONCE
                )

    async def _begin(self, do: Statements, epoch: int) -> None:
        """Take the table, from an elder of ours if need be."""
        within = "_within" if self._database.is_pooled else ""
        taken = await do.row(f"take_up{within}", _WORK_MEMORY, epoch, do.place)
        if taken["is_ours"]:
            return
        await do.rows("end_elders", do.place, epoch)
        try:
            # A process that was killed may have left a session that ends in a moment.
            async with atomic(do.connection):
                await do.execute("wait_briefly")
                await do.execute(f"lock_target{within}", do.place)
        except asyncpg.LockNotAvailableError as exc:
            raise TargetBusy(
                f"another run is about table {do.place} at this moment",
                hint="one job of one syncd at a time works on a table; this one may be tried again",
            ) from exc

    async def _read(self, *chosen: Any) -> Reconciliation | None:
        async with self._database.connection() as connection:
            row = await connection.fetchrow(self._sql["read_reconciliation"], *chosen)
        return None if row is None else to_reconciliation(dict(row))
