"""The books of a leaderboard run: what it came to, in the transaction of its last changes.

Who is missing is marked, a plan held or applied, letters written about users who were set aside,
and the counts of the run brought to what is true now: a run that was cut off and goes on again
finds what it did before as unchanged, and that was counted already.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from syncd.model.leaderboard import (
    BackupId,
    Deletes,
    PlanId,
    Reconciliation,
    SourceFacts,
)
from syncd.model.run import Report
from syncd.store.counts import Aside, Findings, Leftover, Tally, missing_from
from syncd.store.journal import numbers_of, source_to_json
from syncd.store.plans import PlanDraft, PlanStore
from syncd.store.runs import RunStore
from syncd.store.statements import Statements
from syncd.store.steps import to_report

# Scores go on changing while a person thinks: what is approved is that they may.
_UPDATES = "updates"


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """What a run tells of itself, for its reconciliation.

    `source` are the facts that Redis told before; `seconds` how long its phases took until now.
    `keeps` is the plan that goes on waiting, `applies` the one that was approved as the run began;
    unless one `may_wait`, there was none then: nobody but a run makes any.
    """

    mode: str
    is_complete: bool
    is_dry: bool = False
    source: SourceFacts | None = None
    plan_expires: timedelta = timedelta(hours=24)
    seconds: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    unreadable_details: int = 0
    backup: BackupId | None = None
    keeps: PlanId | None = None
    applies: PlanId | None = None
    may_wait: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What a run came to. `report` are the counts of the whole run, also of earlier attempts."""

    report: Report
    leftover: Leftover
    plan: PlanId | None


class Bookkeeper:
    """Writes the books of one run; every method is part of a transaction."""

    def __init__(
        self, statements: Statements, runs: RunStore, plans: PlanStore, findings: Findings
    ) -> None:
        self._do = statements
        self._runs = runs
        self._plans = plans
        self._found = findings

    async def count(self, tally: Tally) -> None:
        """Add to the counts of the run what a transaction in its middle changed."""
        await self._report(
            Report(created=tally.created, updated=tally.updated, deleted=tally.deleted)
        )

    async def close(self, before: Tally, last: Tally, books: Books) -> Applied:
        """Write the books; `before` was counted already, `last` belongs to this transaction."""
        found = self._found
        plan = await self._plan(books) if books.is_complete else None
        # Who is not there where Redis forgot most is not gone.
        sees_all = books.is_complete and found.verdict.marks
        if sees_all:
            source = None if books.source is None else source_to_json(books.source)
            marks = (found.job, found.at, found.guard.runs, found.run_id, source)
            await self._do.execute("mark", *marks)
        elif last.deleted or before.deleted:
            await self._do.execute("forget_deleted", found.job)
        left = await self._left(sees_all=sees_all)
        return await self._settle(before, last, left, books, plan)

    async def rehearse(self, books: Books) -> Applied:
        """Write what a dry run came to: as if everything that may be done were done."""
        found = self._found
        left = await self._left(is_dry=True)
        done = Tally(
            created=found.comparison.created, updated=found.updates, deleted=left["undone"]
        )
        return await self._settle(Tally(), done, {**left, "undone": 0}, books)

    async def _left(self, *, sees_all: bool = False, is_dry: bool = False) -> Mapping[str, Any]:
        """Bring letters up to date, unless the run is dry; return the numbers of what is left."""
        found = self._found
        values = (found.job, found.run_id, found.at, not sees_all, found.deletable, is_dry)
        return dict(await self._do.row("settle", *values))

    async def _plan(self, books: Books) -> PlanId | None:
        found = self._found
        if books.applies is not None and found.verdict.deletes is not Deletes.NONE:
            await self._plans.applied(self._do.connection, books.applies)
        if not found.verdict.is_held:
            if books.may_wait:
                await self._plans.withdraw(self._do.connection, found.job)
            return None
        if books.keeps is not None:
            return books.keeps
        await self._do.execute("stage_missing")
        deletes, digest = 0, _UPDATES
        sample: tuple[str, ...] = ()
        if found.verdict.holds_deletes:
            deletes = await self._do.execute("fill_missing")
            digest, sample = await self._planned()
        draft = PlanDraft(
            job=found.job,
            run_id=found.run_id,
            deletes=deletes,
            updates=0 if found.verdict.updates else found.comparison.updated,
            holds_updates=not found.verdict.updates,
            base=found.comparison.base,
            reasons=found.verdict.reasons,
            is_hard=found.verdict.is_hard,
            digest=digest,
            sample=sample,
            created_at=found.at,
            expires_at=found.at + books.plan_expires,
        )
        return await self._plans.hold(self._do.connection, draft)

    async def _settle(
        self,
        before: Tally,
        last: Tally,
        left: Mapping[str, Any],
        books: Books,
        plan: PlanId | None = None,
    ) -> Applied:
        """Bring the counts of the run to what they are, and note its reconciliation."""
        leftover = Leftover.of(self._found, before + last, left)
        aside = Aside(left["aside_users"], left["aside_rows"])
        so_far = to_report(left)
        rows = self._found.rows + before.created - before.deleted
        missing = missing_from(so_far, last, rows, leftover, aside)
        await self._report(missing)
        report = so_far + missing
        await self._note(report, leftover, books, plan)
        return Applied(report=report, leftover=leftover, plan=plan)

    async def _planned(self) -> tuple[str, tuple[str, ...]]:
        if not (self._found.comparison.missing or self._found.verdict.is_held):
            return "", ()
        row = await self._do.row("digest_absent")
        return row["digest"], tuple(row["sample"])

    async def _report(self, report: Report) -> None:
        run_id, at = self._found.run_id, self._found.at
        await self._runs.add_report(self._do.connection, run_id, report, at)

    async def _note(
        self, report: Report, leftover: Leftover, books: Books, plan: PlanId | None
    ) -> None:
        found, counts = self._found, self._found.comparison
        digest, sample = await self._planned()
        reconciliation = Reconciliation(
            run_id=found.run_id,
            job=found.job,
            mode=books.mode,
            is_complete=books.is_complete,
            is_dry=books.is_dry,
            at=found.at,
            base=counts.base,
            users=counts.users,
            missing=counts.missing,
            allowance=found.guard.allowance(counts.base),
            created=report.created,
            updated=report.updated,
            unchanged=report.unchanged,
            deleted=report.deleted,
            held=leftover.held,
            waiting=leftover.waiting,
            conflicts=leftover.conflicts + leftover.overtaken,
            errors=report.failed,
            unreadable_details=books.unreadable_details,
            inexact=counts.inexact,
            verdict=found.verdict,
            digest=digest,
            sample=sample,
            seconds=books.seconds,
            notes=books.notes,
            source=books.source,
        )
        await self._do.execute(
            "note_reconciliation",
            *(found.run_id, found.job, books.mode, books.is_complete, books.is_dry, found.at),
            *(numbers_of(reconciliation), plan, books.backup),
        )
