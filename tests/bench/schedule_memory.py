"""A ledger in memory: as much of it as the scheduler and a run ask for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from syncd.model.run import Outcome, RunId


class MemoryLedger:
    def __init__(self) -> None:
        self.rows: dict[int, Any] = {}
        self.fires: dict[Any, int] = {}

    async def claim_fire(self, run: Any, *, skip_reason: Any = None) -> Any:
        key = (run.job, run.fire_time)
        if key in self.fires:
            return None
        number = len(self.rows) + 1
        self.fires[key] = number
        self.rows[number] = replace(run, id=RunId(number))
        return RunId(number)

    async def create(self, run: Any) -> Any:
        number = len(self.rows) + 1
        self.rows[number] = replace(run, id=RunId(number))
        return RunId(number)

    async def begin(self, run_id: Any, at: Any) -> Any:
        run = self.rows[run_id] = replace(self.rows[run_id], outcome=Outcome.RUNNING, started_at=at)
        return run

    async def finish(
        self, run_id: Any, outcome: Any, at: Any, *, error: Any = "", hint: Any = ""
    ) -> Any:
        run = self.rows[run_id] = replace(
            self.rows[run_id], outcome=outcome, finished_at=at, **words
        )
        return run

    async def read(self, run_id: Any) -> Any:
        return self.rows.get(run_id)

    async def recover(self) -> Any:
        return []

    async def last_of(self, jobs: Any) -> Any:
        return {}

    async def last_fire_time(self, job: Any) -> Any:
        return None

    async def cycle_start(self, job: Any) -> Any:
        return None

    async def anchor(self, job: Any, now: Any) -> Any:
        return now
