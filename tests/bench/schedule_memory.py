"""A ledger in memory: as much of it as the scheduler and a run ask for."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from syncd.model.run import Ending, Outcome, Run, RunId
from syncd.model.schedule import Known, Registered


class MemoryLedger:
    def __init__(self) -> None:
        self.rows: dict[int, Run] = {}

    async def settle(
        self, jobs: Sequence[Registered], now: datetime, *, catch_up: Collection[str] = ()
    ) -> Mapping[str, Known]:
        return {job.job: Known(anchor_at=now, counts_from=now, decided_until=now) for job in jobs}

    async def claim(self, fires: Sequence[Run]) -> Sequence[Run]:
        first = len(self.rows) + 1
        claimed = [replace(run, id=RunId(number)) for number, run in enumerate(fires, first)]
        self.rows.update({run.id: run for run in claimed})
        return claimed

    async def begin(self, run_id: RunId, at: datetime) -> Run:
        run = self.rows[run_id] = replace(self.rows[run_id], outcome=Outcome.RUNNING, started_at=at)
        return run

    async def finish(self, run_id: RunId, ending: Ending, at: datetime) -> Run:
        run = self.rows[run_id] = replace(self.rows[run_id], outcome=ending.outcome, finished_at=at)
        return run

    async def read(self, run_id: int) -> Run | None:
        return self.rows.get(run_id)

    async def recover(self) -> Sequence[Run]:
        return []

    async def last_of(self, jobs: Sequence[str]) -> Mapping[str, Run]:
        return {}

    async def cycle_start(self, job: str) -> None:
        return None
