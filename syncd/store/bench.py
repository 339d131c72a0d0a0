"""The bench of one leaderboard run: it ends in the table, or in a rehearsal.

What `Stage` found is written in one transaction with the books, or, where much changes, in several
that each count what they did; the books are part of the last.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from syncd.model.leaderboard import (
    BoardDrift,
    Drift,
    Verdict,
)
from syncd.model.run import RunId
from syncd.store.books import Applied, Bookkeeper, Books
from syncd.store.changes import Changes, Planned
from syncd.store.counts import Findings, Tally
from syncd.store.database import Row
from syncd.store.journal import drift_to_json
from syncd.store.plans import PlanStore
from syncd.store.recall import Recall
from syncd.store.runs import RunStore
from syncd.store.statements import Statements


class Bench(Recall):
    """Steps in order: check, stage, compare, candidates, apply or rehearse, drift."""

    def __init__(self, job: str, statements: Statements, runs: RunStore, batch: int) -> None:
        super().__init__(job, statements, runs, batch)
        self._plans = PlanStore(statements.database, runs.fence)
        self._found: Findings | None = None
        self._applied: Applied | None = None

    async def apply(self, run_id: RunId, at: datetime, verdict: Verdict, books: Books) -> Applied:
        """Write what differs and may be written, and the books.

        Safe to repeat after a crash: what was written is not found different again.

        Raises:
            LeaseLost: somebody else leads, or has the run; nothing more was written.
            TargetUnfit: the table refuses what is written to it.
        """
        found = self._findings(run_id, at, verdict)
        await self._do.hasten()
        keeper = Bookkeeper(self._do, self._runs, self._plans, found)
        deleted = (at, run_id, self._job, self._do.place)
        planned = [
            Planned("update_rows", "lb_changes", ("update",), found.updates, (at,)),
            Planned("create_rows", "lb_changes", ("create",), found.comparison.created, (at,)),
            Planned("delete_rows", "lb_changes", found.deletable, found.deletes, deleted),
        ]

        async def close(before: Tally, last: Tally) -> Applied:
            return await keeper.close(before, last, books)

        base = found.comparison.base
        self._applied = await Changes(self._do, self._batch).carry_out(
            planned, base, keeper.count, close
        )
        return self._applied

    async def rehearse(
        self, run_id: RunId, at: datetime, verdict: Verdict, books: Books
    ) -> Applied:
        """Note what a run would come to, in its own reconciliation and counts alone."""
        found = self._findings(run_id, at, verdict)
        keeper = Bookkeeper(self._do, self._runs, self._plans, found)
        await self._do.hasten()
        self._applied = await self._do.write(lambda: keeper.rehearse(books))
        return self._applied

    async def drift(self) -> Drift:
        """Look at both sides once more: counts and sums of each board, and rows that still differ.

        After an incremental run only those who were staged are looked at, and no board is weighed.
        """
        assert self._applied is not None
        assert self._found is not None
        left, holds_updates = self._applied.leftover, not self._found.verdict.updates
        counts = self._found.comparison
        there = await self._do.row("weigh_target", bool(counts.missing or counts.protected))
        rows = 0
        if self._is_partial or not self._are_alike(there):
            side = "LEFT" if self._is_partial else "FULL"
            rows = (await self._do.row("count_drift", holds_updates, side=side))["rows"]
        return Drift(
            redis_users=self._weight["users"],
            postgres_users=there["users"],
            rows=rows,
            held=left.held,
            waiting=left.waiting,
            kept=left.kept,
            protected=there["protected"],
            boards={} if self._is_partial else self._boards(there),
        )

    async def note_drift(self, run_id: RunId, drift: Drift, seconds: Mapping[str, float]) -> None:
        """Add to the reconciliation of a run how both sides stand, and what took how long."""
        await self._do.note("note_drift", run_id, drift_to_json(drift), dict(seconds))

    def _are_alike(self, there: Row) -> bool:
        """Tell whether the sums of both sides are the same but for the rows that are held."""
        sums = [f"{score}_{what}" for score in self._do.scores for what in ("users", "sum")]
        return all(
            there[name] - there[f"held_{name}"] == self._weight[name] for name in ("users", *sums)
        )

    def _boards(self, there: Row) -> dict[str, BoardDrift]:
        here = self._weight
        return {
            board: BoardDrift(
                redis_users=here[f"{score}_users"],
                redis_sum=here[f"{score}_sum"],
                postgres_users=there[f"{score}_users"],
                postgres_sum=there[f"{score}_sum"],
            )
            for board, score in zip(self._do.target.columns, self._do.scores, strict=True)
        }

    def _findings(self, run_id: RunId, at: datetime, verdict: Verdict) -> Findings:
        assert self._comparison is not None
        self._found = Findings(
            job=self._job,
            run_id=run_id,
            at=at,
            guard=self._guard,
            comparison=self._comparison,
            verdict=verdict,
            is_partial=self._is_partial,
        )
        return self._found
