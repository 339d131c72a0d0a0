"""One pass from Redis to PostgreSQL: look, read, compare, judge, ask again, apply, verify.

Nothing is written before the guard has judged, and everything that is written can be repeated: a
pass that was killed begins anew and finds what is left to do. Rows are deleted only by a pass that
read every member of every board, and after Redis was asked for each of them once more.
"""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass, field, replace

from syncd.jobs.base import RunContext
from syncd.jobs.boards import LeaderboardOptions
from syncd.jobs.guard import Evidence, judge, keeps_plan
from syncd.jobs.phases import Pages, Phases
from syncd.jobs.source import Reading, Source
from syncd.jobs.telling import ending_of, notes_of
from syncd.model.leaderboard import BackupId, Comparison, Deletes, PlanState, SourceFacts, Verdict
from syncd.model.run import Ending
from syncd.store.bench import Bench
from syncd.store.books import Books
from syncd.store.inflow import Staged
from syncd.store.journal import LastSource
from syncd.telemetry.events import LargeChange


async def reconcile(context: RunContext, options: LeaderboardOptions) -> Ending:
    """Make the table what the boards say, as far as the guard lets it.

    Raises:
        CacheUnavailable: Redis is away; nothing was written.
        RunError: the boards or the table cannot be used; nothing was written.
    """
    stores, job = context.around.stores, context.run.job
    async with (
        Source.open(context, options) as source,
        stores.leaderboards.bench(job, options.target()) as bench,
    ):
        await bench.check()
        last = await bench.follow(is_dry=context.run.options.dry_run)
        every_board = await _is_full(context, options, last)
        work = _Pass(context=context, options=options, source=source, bench=bench, last=last)
        ending = await (work.full() if every_board else work.incremental())
    if every_board and not context.run.options.dry_run:
        now = context.around.clock.now()
        await stores.leaderboards.expire(job, now, options.tombstones)
    return ending


async def _is_full(
    context: RunContext, options: LeaderboardOptions, last: LastSource | None
) -> bool:
    """Tell whether every board is to be read; a rehearsal always reads all."""
    asked, stores = context.run.options, context.around.stores
    if options.mode == "full" or asked.full or asked.dry_run:
        return True
    now, job = context.around.clock.now(), context.run.job
    if await stores.plans.pending(job, now) is not None:
        # Only a look at everybody carries out what was approved.
        return True
    return last is None or now - last[1] >= options.full_every


@dataclass(slots=True, kw_only=True)
class _Found:
    """What a pass found out before it writes."""

    comparison: Comparison
    verdict: Verdict
    books: Books


@dataclass(slots=True, kw_only=True)
class _Pass:
    """One pass, from looking to verifying."""

    context: RunContext
    options: LeaderboardOptions
    source: Source
    bench: Bench
    last: LastSource | None
    phases: Phases = field(init=False)
    staged: Staged | None = None

    def __post_init__(self) -> None:
        self.phases = Phases(self.context)

    async def full(self) -> Ending:
        """Read every board."""
        is_dry = self.context.run.options.dry_run
        with self.phases.phase("look", "Redis to say how it is"):
            facts = await self.source.examine()
            claimed = not is_dry and await self.source.claim()
        reading = await self._read(facts)
        found = await self._judge(reading)
        if is_dry:
            return await self._rehearse(found)
        ending = await self._write(found)
        # Who changed and was not read, or is held, is asked for again by the next run.
        if claimed and not reading.gaps and found.verdict.updates:
            await self.source.drop()
        return ending

    async def incremental(self) -> Ending:
        """Read those who changed; nobody is deleted. What is held makes it a full one."""
        with self.phases.phase("look", "Redis to say who changed"):
            facts = await self.source.examine()
            if not await self.source.claim():
                return ending_of(self.context.run, None, Verdict())
        with self.phases.phase("read", "Redis"):
            await self._stage(self.source.claimed())
        found = await self._judge(
            Reading(facts=facts, gaps=("only those who changed",)), partial=True
        )
        if found.verdict.is_held:
            # Only a plan can ask a person about it, and that takes a look at everybody.
            return await self.full()
        ending = await self._write(found)
        await self.source.drop()
        return ending

    async def _read(self, facts: SourceFacts) -> Reading:
        with self.phases.phase("read", "Redis"):
            largest = max((board.members for board in facts.boards.values()), default=0)
            self.phases.restart(largest)
            return await self.source.read(facts, self._stage)

    async def _stage(self, pages: Pages) -> tuple[int, ...]:
        self.phases.restart(self.phases.total)
        async with aclosing(self.phases.counted(pages)) as counted:
            self.staged = await self.bench.stage(counted)
        return self.staged.members

    async def _judge(self, reading: Reading, *, partial: bool = False) -> _Found:
        guard, job = self.options.as_guard(), self.context.run.job
        stores, now = self.context.around.stores, self.context.around.clock.now()
        with self.phases.phase("compare", "PostgreSQL to compare"):
            # Before the comparison: what is approved from now on is for the next run.
            plan = await stores.plans.open(job, now)
            comparison = await self.bench.compare(partial=partial, guard=guard, at=now)
            still = 0 if plan is None else await self.bench.still_missing(plan.id)
        evidence = Evidence(
            comparison=comparison,
            source=reading.facts,
            last=None if self.last is None else self.last[2],
            is_complete=not reading.gaps,
            is_partial=partial,
            plan=plan,
            still_missing=still,
        )
        verdict = judge(guard, evidence)
        keeps = plan is not None and keeps_plan(guard, evidence, verdict)
        applies = plan is not None and plan.state is PlanState.APPROVED
        assert self.staged is not None
        books = Books(
            mode="incremental" if partial else "full",
            is_complete=not reading.gaps,
            is_dry=self.context.run.options.dry_run,
            source=reading.facts,
            plan_expires=self.options.plan_expires,
            keeps=plan.id if plan is not None and keeps else None,
            applies=plan.id if plan is not None and applies else None,
            may_wait=plan is not None,
            seconds=self.phases.seconds,
            notes=() if partial else notes_of(reading, comparison, self.staged),
            unreadable_details=self.staged.unreadable,
        )
        return _Found(comparison=comparison, verdict=verdict, books=books)

    async def _ask_again(self, verdict: Verdict) -> None:
        """Spare whoever of those that are to be deleted is back on a board."""
        if verdict.deletes is Deletes.NONE:
            return
        with self.phases.phase("recheck", "Redis to say who is missing still"):
            async for users in self.bench.candidates(verdict.deletes):
                absent = await self.source.absent(users)
                if back := [user for user in users if user not in absent]:
                    await self.bench.spare(back)

    async def _rehearse(self, found: _Found) -> Ending:
        run, now = self.context.run, self.context.around.clock.now()
        with self.phases.phase("rehearse", "PostgreSQL"):
            applied = await self.bench.rehearse(run.id, now, found.verdict, found.books)
        return ending_of(run, applied, found.verdict)

    async def _write(self, found: _Found) -> Ending:
        run, now = self.context.run, self.context.around.clock.now()
        changed, is_large = self._weigh(found)
        backup = await self._back_up() if is_large else None
        # After the copy, which may take long: as little as may be lies between asking and deleting.
        await self._ask_again(found.verdict)
        with self.phases.phase("apply", "PostgreSQL to store what changed"):
            books = replace(found.books, backup=backup)
            applied = await self.bench.apply(run.id, now, found.verdict, books)
        with self.phases.phase("verify", "PostgreSQL to look once more"):
            drift = await self.bench.drift()
        await self.bench.note_drift(run.id, drift, self.phases.seconds)
        if is_large:
            self._tell_large(changed, found.comparison.base, backup)
        return ending_of(run, applied, found.verdict, drift)

    def _weigh(self, found: _Found) -> tuple[int, bool]:
        """Return how many rows change, and whether those are many of the table."""
        comparison, verdict = found.comparison, found.verdict
        changed = comparison.created + (comparison.updated if verdict.updates else 0)
        if verdict.deletes is Deletes.DUE:
            changed += comparison.due
        if verdict.deletes is not Deletes.NONE:
            changed += comparison.approved
        few = max(self.options.guard.rows, self.options.large_change * comparison.base)
        return changed, bool(comparison.base) and changed > few

    async def _back_up(self) -> BackupId | None:
        run, now = self.context.run, self.context.around.clock.now()
        if not self.options.backups:
            return None
        with self.phases.phase("backup", "PostgreSQL to copy the table"):
            return await self.bench.back_up(run.id, now, self.options.backups)

    def _tell_large(self, changed: int, base: int, backup: BackupId | None) -> None:
        run = self.context.run
        self.context.around.bus.emit(
            LargeChange(run_id=run.id, job=run.job, changed=changed, base=base, backup=backup)
        )
