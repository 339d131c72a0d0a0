"""One credential's items of one run: claimed, swept, fetched side by side, committed by page.

Several pages are under way at a time, together at most `claim` accounts. Whom a sweep found
unchanged is stored at once, the others are asked for one by one. A pass ends when nothing is left,
when the run should stop, or when the platform asks for a pause; what was not asked stays due. While
a person holds the job or the platform, nothing is held for it: other runs may ask for it.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace

from syncd.errors import ItemError, PlatformError, WrongAccount
from syncd.jobs.base import RunContext
from syncd.jobs.judgement import Judge
from syncd.jobs.lanes import Lanes
from syncd.jobs.letters import tell_letter
from syncd.jobs.pages import Pages
from syncd.jobs.progress import Progress
from syncd.jobs.sweep import Sweep
from syncd.jobs.work import Work
from syncd.model.account import Account, AccountId
from syncd.model.item import Claim, Failure, Item, Success, Withdrawn
from syncd.model.pause import Pause
from syncd.model.profile import Alike
from syncd.outbound.meter import Meter, current_meter
from syncd.outbound.urgency import current_urgency, urgency_of
from syncd.store.sync import Batch
from syncd.telemetry.events import ItemFailed, WrongAccountAnswered


class Fanout:
    """Works through one credential's due accounts; `run` may be called again after a halt.

    After `run`, `halted_by` tells what the platform said to stop it; None: nothing is left, or the
    run should stop. `alarm` is the first answer about somebody else.
    """

    def __init__(self, context: RunContext, work: Work, progress: Progress) -> None:
        self._context = context
        self._around = context.around
        self._work = work
        self._progress = progress
        self._judge = Judge(
            context.around.clock, work.attempts, may_retry=not context.run.options.dry_run
        )
        # Who is not before the gate yet can still be left alone when a person asks for that.
        self._lanes = Lanes(work.platform.limits.slots, self._ask_in_turn)
        self._asking: set[asyncio.Task[object]] = set()
        self._pages = Pages(context, work, progress, self._may_go_on)
        self._sweep = Sweep(context, work)
        self._meter = Meter()
        self._has_skipped = False
        self.alarm: WrongAccount | None = None
        self.halted_by: PlatformError | None = None

    async def run(self) -> None:
        """Make one pass: everything due, oldest first, then what failed on the way.

        Raises:
            StoreUnavailable: PostgreSQL broke off; what was committed stays, the rest is due.
        """
        self.halted_by = None
        # All tasks of the pass take these over.
        meter = current_meter.set(self._meter)
        urgency = current_urgency.set(urgency_of(self._context.run.cause))
        try:
            async with asyncio.TaskGroup() as group:
                watcher = group.create_task(self._cancel_after_grace())
                await self._pass(group)
                while self._has_skipped and not self._should_end:
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
        self._has_skipped = False
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
        self.halted_by = self.halted_by or self._sweep.halted_by
        return digests

    async def _keep(self, unchanged: Sequence[Item]) -> None:
        """Commit whom a sweep found unchanged."""
        try:
            await self._commit(unchanged)
            self._work.budget.use(len(unchanged))
        finally:
            self._pages.release(item.account.id for item in unchanged)

    @property
    def _should_end(self) -> bool:
        return self.halted_by is not None or self._context.stop.is_requested

    async def _may_go_on(self) -> bool:
        """Wait while a person holds the job or the platform; False when the pass should end."""
        while not self._should_end:
            pause = self._holding()
            if pause is None:
                return True
            self._progress.wait(f"paused by a person: {pause.why or pause.scope}")
            await self._around.admission.wait_for_change()
        return False

    def _holding(self) -> Pause | None:
        return self._around.admission.holding(self._context.run.job, self._work.platform.name)

    async def _settle(self, page: Sequence[Claim], lanes: asyncio.TaskGroup) -> None:
        """Ask for the accounts of a page and commit what came of them."""
        try:
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

    async def _ask_in_turn(self, claim: Claim) -> Item | None:
        """Ask for one account when it is its turn; None when it was not asked and stays due."""
        # A dry run marks nobody, so that it could not tell later whom it skipped: it waits here.
        is_held = self._holding() is not None
        if is_held and not self._context.run.options.dry_run:
            self._has_skipped = True
            return None
        if (is_held or self._should_end) and not await self._may_go_on():
            return None
        if not self._around.admission.admits(claim.account):
            return Withdrawn(account=claim.account)
        return await self._ask(claim)

    async def _ask(self, claim: Claim) -> Item | None:
        try:
            answer = await self._work.platform.fetch(claim.account)
        except (ItemError, PlatformError) as error:
            return self._judged(claim, error)
        except Exception as error:  # one item's bug must not stop the others
            return self._unforeseen(claim, error)
        return Success(account=claim.account, answer=answer, seen=claim.seen)

    def _judged(self, claim: Claim, error: ItemError | PlatformError) -> Item | None:
        try:
            item = self._judge.judge(claim, error)
        except PlatformError as halting:
            self.halted_by = self.halted_by or halting
            return None
        self._tell_failure(claim, error.outcome, str(error), stack="")
        if isinstance(error, WrongAccount) and self.alarm is None:
            self.alarm = error
            self._tell_alarm(claim, error)
        return item

    def _tell_alarm(self, claim: Claim, error: WrongAccount) -> None:
        self._around.bus.emit(
            WrongAccountAnswered(
                run_id=self._context.run.id,
                job=self._context.run.job,
                platform=self._work.platform.name,
                account=claim.account.handle,
                error=str(error),
            )
        )

    def _unforeseen(self, claim: Claim, error: Exception) -> Item:
        text = f"unforeseen {type(error).__name__} while reading {claim.account.handle!r}"
        self._tell_failure(claim, "error", text, stack=traceback.format_exc())
        return Failure(account=claim.account, outcome="error", error=text, wears_out=True)

    def _tell_failure(self, claim: Claim, outcome: str, error: str, *, stack: str) -> None:
        self._around.bus.emit(
            ItemFailed(
                run_id=self._context.run.id,
                job=self._context.run.job,
                platform=self._work.platform.name,
                account=claim.account.handle,
                outcome=outcome,
                error=error,
                attempt=claim.attempts + 1,
                stack=stack,
            )
        )

    async def _commit(self, items: Sequence[Item]) -> None:
        counted = self._meter.take()
        if not items and not counted[0]:
            return
        try:
            committed = await self._around.stores.sync.commit(self._batch(items, counted))
        except BaseException:
            self._meter.put_back(counted)
            raise
        for letter in committed.letters:
            tell_letter(self._around.bus, self._context.run, letter)
        self._progress.add(committed.report, self._work.platform.waits_for())

    def _batch(self, items: Sequence[Item], counted: tuple[int, int]) -> Batch:
        calls, saved = counted
        return Batch(
            run_id=self._context.run.id,
            kind=self._work.selection.kind,
            platform=self._work.platform.name,
            mapper_version=self._work.platform.mapper_version,
            items=items,
            calls=calls,
            saved=saved,
            at=max(self._around.clock.now(), self._work.selection.began_at),
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
