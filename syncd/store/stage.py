"""The bench: what the boards say, staged beside the table and compared with it set-wise.

All of it lies in temporary tables of one connection. Nothing of a page is kept here: its lines go
to PostgreSQL as they come. A user may be on several pages; that is noticed by the counts alone, so
that it costs nothing where nobody is.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime

from syncd.model.leaderboard import Comparison, Deletes, Guard, Page, PlanId
from syncd.store.database import Row, atomic
from syncd.store.inflow import Inflow, Staged
from syncd.store.journal import LastSource, to_last_source
from syncd.store.statements import Statements

_STAGES = ("drop_stage", "stage_users", "stage_changes", "stage_poisoned")
_ABSENT = ("missing", "newly", "due", "approved", "kept")
_CANDIDATES = 5_000
# From here on whole numbers have neighbours that a double cannot tell from them.
_EXACT = 2.0**53


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

    async def follow(self, *, is_dry: bool = False) -> LastSource | None:
        """Note which table the job follows; what is known about another one counts no more.

        Return what Redis said to the last complete run about this table that found it in order. A
        dry run notes nothing.
        """
        place = self._do.place
        known = await self._do.row("known", self._job)
        if known["target"] == place or (is_dry and known["target"] is None):
            return to_last_source(known)

        async def note() -> None:
            if known["target"] is not None:
                for block in ("forget_markers", "forget_plans", "forget_source"):
                    await self._do.execute(block, self._job)
            await self._do.execute("note_target", self._job, place)

        if not is_dry:
            await self._do.write(note)
        return to_last_source(known) if known["target"] is None else None

    async def stage(self, pages: AsyncIterator[Page]) -> Staged:
        """Take over what the boards say; what was staged before is forgotten."""
        # One transaction: a table that was made in it takes rows that need not be looked at again,
        # and pages that break off cost no more than what was staged.
        async with atomic(self._do.connection):
            await self._do.stage(*_STAGES)
            staged = await self._take(Inflow(pages, len(self._do.scores)))
            if staged.poisoned:
                await self._do.execute("drop_poisoned")
        return staged

    async def _take(self, inflow: Inflow) -> Staged:
        while not inflow.has_ended:
            async with asyncio.timeout(None) as deadline:
                await self._do.copy("lb_staged", inflow.lines(deadline))
            poisoned = inflow.take_poisoned()
            if poisoned:
                ids = [each.user_id for each in poisoned]
                shown = [each.shown for each in poisoned]
                reasons = [each.reason for each in poisoned]
                await self._do.execute("set_aside", shown, reasons, ids)
        return inflow.total()

    async def compare(self, *, partial: bool, guard: Guard, at: datetime) -> Comparison:
        """Find what differs; with `partial` only of the users who were staged.

        A row that somebody writes from now on is not overwritten.
        """
        self._guard, self._is_partial = guard, partial
        if partial:
            await self._do.execute("drop_offboard")
            await self._deduplicate()
        found = await self._find_changes()
        if self._has_repeats(found):
            await self._deduplicate()
            found = await self._find_changes()
        if found["unfit"]:
            await self._do.execute("set_unfit_aside")
            await self._do.execute("drop_poisoned")
            found = await self._do.row("count_changes")
        self._weight = found
        absent = dict.fromkeys(_ABSENT, 0)
        if found["missing"]:
            values = (self._job, guard.runs, guard.wait, at)
            absent = dict(await self._do.row("sort_absent", *values))
        self._comparison = await self._compared(found, absent)
        return self._comparison

    async def candidates(self, which: Deletes) -> AsyncIterator[Sequence[str]]:
        """Yield who is to be deleted, page by page."""
        assert self._comparison is not None
        acts = ["due", "approved"] if which is Deletes.DUE else [which]
        if not self._comparison.due + self._comparison.approved:
            return
        if self._comparison.due + self._comparison.approved > _CANDIDATES:
            await self._do.execute("index_absent")
        behind, are_more = "", True
        while are_more:
            rows = await self._do.rows("next_absent", behind, acts, _CANDIDATES)
            are_more = len(rows) == _CANDIDATES
            if rows:
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

    async def _find_changes(self) -> Row:
        await self._do.execute("compare", side="LEFT" if self._is_partial else "FULL")
        return await self._do.row("count_changes")

    def _has_repeats(self, found: Row) -> bool:
        """Tell whether somebody was staged twice, and it matters.

        Everybody who is staged is new or has one row, and every row is his or missing.
        """
        rows = found["users"] - found["new"] + found["missing"]
        return bool(found["repeats"]) or (not self._is_partial and rows != found["base"])

    async def _deduplicate(self) -> None:
        blocks = ("forget_changes", "stage_once", "deduplicate", "drop_staged", "rename_once")
        for block in blocks:
            await self._do.execute(block)

    async def _compared(self, found: Row, absent: Mapping[str, int]) -> Comparison:
        return Comparison(
            base=found["base"],
            users=found["users"],
            created=found["created"],
            updated=found["updated"],
            overturned=found["overturned"],
            **absent,
            protected=found["protected"],
            inexact=await self._count_inexact(),
            has_canary=await self._has_canary(),
        )

    async def _count_inexact(self) -> int:
        if (self._weight["most"] or 0) < _EXACT:
            return 0
        return int((await self._do.row("count_inexact"))["scores"])

    async def _has_canary(self) -> bool:
        canary = self._guard.canary
        if self._is_partial or not canary:
            return True
        return bool((await self._do.row("has_canary", canary))[0])
