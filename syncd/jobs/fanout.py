"""One credential's items of one run: claimed, swept, asked side by side, committed by page.

Several pages are under way at a time, together at most `most` accounts. Whom a sweep found
unchanged is stored at once, the others are asked for, one by one or as many as the platform takes
by one question. A pass ends when nothing is left, when the run should stop, or when the platform
asks for a pause; what was not asked stays due. While a person holds the job or the platform,
nothing is held for it: other runs may ask for it.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace

from syncd.errors import PlatformError, WrongAccount
from syncd.jobs.base import RunContext
from syncd.jobs.course import Course
from syncd.jobs.lanes import Lanes
from syncd.jobs.letters import tell_letter
from syncd.jobs.pages import Pages
from syncd.jobs.progress import Progress
from syncd.jobs.questions import Questions
from syncd.jobs.sweep import Sweep
from syncd.jobs.work import Work
from syncd.model.account import Account, AccountId
from syncd.model.item import Claim, Item, Success, Withdrawn
from syncd.model.profile import Alike
from syncd.outbound.meter import Meter, Reading, current_meter
from syncd.outbound.urgency import current_urgency, urgency_of
from syncd.store.sync import Batch


class Fanout:
    """Works through one credential's due accounts; `run` may be called again after a halt."""

    def __init__(self, context: RunContext, work: Work, progress: Progress) -> None:
        self._context = context
        self._around = context.around
        self._work = work
        self._progress = progress
        self._course = Course(context, work, progress)
        self._questions = Questions(context, work, self._course)
        # Who is not before the gate yet can still be left alone when a person asks for that.
        asks = self._questions
        batch = work.platform.batch_size
        together = asks.ask_together if batch > 1 else None
        self._lanes = Lanes(work.platform.limits.slots, asks.ask, together, batch)
        self._asking: set[asyncio.Task[object]] = set()
        self._pages = Pages(context, work, progress, self._course.may_go_on)
        self._sweep = Sweep(context, work)
        self._meter = Meter()

    @property
    def halted_by(self) -> PlatformError | None:
        """What the platform said to stop `run`; None: nothing is left, or the run should stop."""
        return self._course.halted_by

    @property
    def alarm(self) -> WrongAccount | None:
        """The first answer about somebody else."""
        return self._questions.alarm

    async def run(self) -> None:
        """Make one pass: everything due, oldest first, then what failed on the way.

        Raises:
            StoreUnavailable: PostgreSQL broke off; what was committed stays, the rest is due.
        """
        self._course.halted_by = None
        # All tasks of the pass take these over.
        meter = current_meter.set(self._meter)
        urgency = current_urgency.set(urgency_of(self._context.run.cause))
        try:
            async with asyncio.TaskGroup() as group:
                watcher = group.create_task(self._cancel_after_grace())
                await self._pass(group)
                while self._course.has_skipped and not self._course.should_end:
                    await self._pass(group)
                watcher.cancel()
        finally:
            # What was taken and not committed is free again, also of pages that never began.
            self._pages.release_all()
            self._lanes.cancel()
            self._asking.clear()
            current_meter.reset(meter)
            current_urgency.reset(urgency)

    async def _pass(self, lanes: asyncio.TaskGroup) -> None:
        self._course.has_skipped = False
        await self._work_through(self._pages.due(), lanes)
        await self._work_through(self._pages.retries(), lanes)

    async def _work_through(
        self, hauls: AsyncIterator[Sequence[Claim]], lanes: asyncio.TaskGroup
    ) -> None:
        """Settle pages side by side; the next accounts are claimed when there is room for them."""
        size = self._work.page
        async with asyncio.TaskGroup() as group:
            async for haul in hauls:
                rest, unchanged = await self._sift(haul)
                if unchanged:
                    group.create_task(self._keep(unchanged))
                for start in range(0, len(rest), size):
                    group.create_task(self._settle(rest[start : start + size], lanes))

    async def _sift(self, haul: Sequence[Claim]) -> tuple[Sequence[Claim], Sequence[Item]]:
        """Tell, by one question, who must be asked for one by one and who is unchanged."""
        admits = self._around.admission.admits
        accounts = [
            claim.account
            for claim in haul
            if claim.account.mark is not None and admits(claim.account)
        ]
        if not accounts or not self._work.sweeps:
            return haul, ()
        async with asyncio.TaskGroup() as group:
            asking = group.create_task(self._look(accounts))
            self._asking.add(asking)
        self._asking.discard(asking)
        digests = {} if asking.cancelled() else asking.result()
        rest, unchanged = [], []
        for claim in haul:
            account, seen = claim.account, digests.get(claim.account.id, b"")
            if account.mark is not None and seen and seen == account.mark.digest:
                unchanged.append(Success(account=account, answer=Alike()))
            else:
                rest.append(replace(claim, seen=seen))
        return rest, unchanged

    async def _look(self, accounts: Sequence[Account]) -> Mapping[AccountId, bytes]:
        try:
            digests = await self._sweep.ask(accounts)
        except Exception as error:  # a bug of the sweep must not stop what works without it
            self._sweep.give_up(f"unforeseen {type(error).__name__}", traceback.format_exc())
            return {}
        if self._sweep.halted_by is not None:
            self._course.halt(self._sweep.halted_by)
        return digests

    async def _keep(self, unchanged: Sequence[Item]) -> None:
        """Commit whom a sweep found unchanged."""
        try:
            await self._commit(unchanged)
            self._work.budget.use(len(unchanged))
        finally:
            self._pages.release(item.account.id for item in unchanged)

    async def _settle(self, page: Sequence[Claim], lanes: asyncio.TaskGroup) -> None:
        """Ask for the accounts of a page and commit what came of them."""
        try:
            if self._work.asker is not None:
                await self._work.asker.prepare([claim.account for claim in page])
            answers = await self._lanes.work_through(lanes, page) if page else ()
            await self._commit([item for item in answers if item is not None])
            # What was tried before is paid for.
            was_asked = [
                item is not None
                for claim, item in zip(page, answers, strict=True)
                if not claim.attempts
            ]
            self._work.budget.use(sum(was_asked))
            self._work.budget.give_back(len(was_asked) - sum(was_asked))
        finally:
            self._pages.release([claim.account.id for claim in page])

    async def _commit(self, items: Sequence[Item]) -> None:
        counted = self._meter.take()
        if not items and not counted.calls:
            return
        try:
            committed = await self._around.stores.sync.commit(self._batch(items, counted))
        except BaseException:
            self._meter.put_back(counted)
            raise
        for letter in committed.letters:
            tell_letter(self._around.bus, self._context.run, letter)
        if self._work.asker is not None:
            self._work.asker.tell(items, committed)
        self._progress.add(committed.report, self._work.platform.waits_for())

    def _batch(self, items: Sequence[Item], counted: Reading) -> Batch:
        return Batch(
            run_id=self._context.run.id,
            kind=self._work.selection.kind,
            platform=self._work.platform.name,
            mapper_version=self._work.platform.mapper_version,
            items=items,
            calls=counted.calls,
            saved=counted.saved,
            at=max(self._around.clock.now(), self._work.selection.began_at),
            asked=sum(not isinstance(item, Withdrawn) for item in items),
            seconds=counted.seconds,
            dry_run=self._context.run.options.dry_run,
        )

    async def _cancel_after_grace(self) -> None:
        """Once the run should stop: let requests under way finish, then cancel the rest."""
        stop = self._context.stop
        await stop.wait()
        await self._around.clock.sleep(stop.grace_seconds)
        self._lanes.cancel()
        for task in tuple(self._asking):
            task.cancel()
