"""The bench: what the boards say, staged beside the table and compared with it set-wise.

All of it lies in temporary tables of one connection. Nothing of a page is kept here: its lines go
to PostgreSQL as they come. A user may be on several pages; that is noticed by the counts alone, so
that it costs nothing where nobody is.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import datetime

from syncd.model.leaderboard import Comparison, Guard, Page, PlanId
from syncd.store.database import Row
from syncd.store.inflow import Inflow, Staged
from syncd.store.statements import Statements

_STAGES = ("stage_users", "stage_poisoned", "stage_changes", "stage_absent", "stage_missing")
_CANDIDATES = 5_000
# The deadlines of a COPY are its pages'; asyncpg's own is for all of it.
_COPY_SECONDS = 86_400.0


class Stage:
    """Stages and compares for one run. Steps in order: check, stage, compare."""

    def __init__(self, job: str, statements: Statements) -> None:
        self._job = job
        self._do = statements
        self._is_partial = False
        self._guard = Guard()
        self._comparison: Comparison | None = None

    async def check(self) -> None:
        """Look at the table that is to follow the boards.

        Raises:
            TargetUnfit: it cannot; every reason at once, each with what mends it.
        """
        await self._do.look()

    async def stage(self, pages: AsyncIterator[Page]) -> Staged:
        """Take over what the boards say; what was staged before is forgotten."""
        await self._do.execute("drop_stage")
        for block in _STAGES:
            await self._do.execute(block)
        inflow = Inflow(pages, len(self._do.scores))
        while not inflow.has_ended:
            async with asyncio.timeout(None) as deadline:
                await self._do.connection.copy_to_table(
                    "lb_staged",
                    source=inflow.lines(deadline),
                    columns=["user_id", *self._do.scores, "told_at"],
                    format="text",
                    timeout=_COPY_SECONDS,
                )
            poisoned = inflow.take_poisoned()
            if poisoned:
                ids = [each.user_id for each in poisoned]
                shown = [each.shown for each in poisoned]
                reasons = [each.reason for each in poisoned]
                await self._do.execute("set_aside", ids, shown, reasons)
        staged = inflow.total()
        if staged.poisoned:
            await self._do.execute("drop_poisoned")
        return staged

    async def compare(self, *, partial: bool, guard: Guard, at: datetime) -> Comparison:
        """Find what differs; with `partial` only of the users who were staged.

        A row that somebody writes from now on is not overwritten.
        """
        if partial:
            await self._do.execute("drop_offboard")
            await self._deduplicate()
        base, found = await self._find_changes(partial=partial)
        if not partial and await self._has_repeats(base, found):
            await self._deduplicate()
            base, found = await self._find_changes(partial=partial)
        if found["unfit"]:
            await self._do.execute("set_unfit_aside")
            await self._do.execute("drop_poisoned")
        if found["missing"]:
            await self._do.execute("sort_absent", self._job, guard.runs, guard.wait, at)
        self._guard, self._is_partial = guard, partial
        self._comparison = await self._compared(base, found, guard.canary)
        return self._comparison

    async def candidates(self, which: str) -> AsyncIterator[Sequence[str]]:
        """Yield who is to be deleted, page by page: "due" (with those approved) or "approved"."""
        acts = ["due", "approved"] if which == "due" else [which]
        behind = ""
        await self._do.execute("index_absent")
        while rows := await self._do.rows("next_absent", behind, acts, _CANDIDATES):
            behind = rows[-1]["user_id"]
            yield [row["user_id"] for row in rows]

    async def still_missing(self, plan: PlanId) -> int:
        """Return how many rows of a plan are missing yet."""
        return int((await self._do.row("count_still_missing", plan))["rows"])

    async def spare(self, users: Sequence[str]) -> None:
        """Delete none of these: they are back on a board."""
        await self._do.execute("spare", list(users))

    async def planned(self) -> tuple[str, tuple[str, ...]]:
        """Return the digest of the rows that a plan would hold, and the first of them."""
        row = await self._do.row("digest_absent")
        return row["digest"], tuple(row["sample"])

    async def _find_changes(self, *, partial: bool) -> tuple[int, Row]:
        await self._do.execute("forget_changes")
        await self._do.execute("compare", side="LEFT" if partial else "FULL")
        base = await self._do.row("count_base")
        return base["rows"], await self._do.row("count_changes")

    async def _has_repeats(self, base: int, found: Row) -> bool:
        """Tell whether somebody was staged twice.

        Everybody who is staged is new or has one row, and every row is his or missing.
        """
        rows = (await self._do.row("count_staged"))["rows"]
        new = found["created"] + found["unfit_new"]
        return bool(rows - new + found["missing"] != base or new > found["new_users"])

    async def _deduplicate(self) -> None:
        for block in ("stage_once", "deduplicate", "drop_staged", "rename_once"):
            await self._do.execute(block)

    async def _compared(self, base: int, found: Row, canary: str) -> Comparison:
        weight = self._weight = await self._do.row("weigh_staged")
        absent = await self._do.row("count_absent")
        poisoned = await self._do.row("count_poisoned")
        has_canary = self._is_partial or not canary or (await self._do.row("has_canary", canary))[0]
        return Comparison(
            base=base,
            users=weight["users"],
            created=found["created"],
            updated=found["updated"],
            overturned=found["overturned"],
            missing=absent["missing"],
            newly=absent["newly"],
            due=absent["due"],
            approved=absent["approved"],
            kept=absent["kept"],
            protected=poisoned["rows"],
            inexact=weight["inexact"],
            has_canary=has_canary,
        )
