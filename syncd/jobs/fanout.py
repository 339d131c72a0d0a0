"""One platform's items of one run: claimed in pages, fetched side by side, committed page by page.

Several pages are under way at a time, together at most `claim` accounts: that is what a kill can
lose (it is fetched again) and what memory holds. A pass ends when nothing is left, when the run
should stop, or when the platform asks for a pause; what was not asked stays due.
"""

from __future__ import annotations

import asyncio
import math
import traceback
from collections.abc import AsyncIterator, Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from syncd.errors import ItemError, PlatformError
from syncd.jobs.base import RunContext
from syncd.jobs.judgement import Judge
from syncd.jobs.lanes import Lanes
from syncd.jobs.progress import Progress
from syncd.model.account import AccountId
from syncd.model.item import Claim, Failure, Item, Success, Withdrawn
from syncd.outbound.meter import Meter, current_meter
from syncd.platforms.base import Platform
from syncd.store.accounts import START, Position, Selection
from syncd.store.sync import Batch
from syncd.telemetry.events import AccountChanged, ItemFailed

_PAGES = 4
_PAGE_SECONDS = 2.0


class Budget:
    """How many items a run may still take on; None means any number."""

    def __init__(self, left: int | None) -> None:
        self.left = left

    def take(self, wanted: int) -> int:
        """Take up to `wanted` and return how many there were."""
        taken = wanted if self.left is None else min(wanted, self.left)
        self.give_back(-taken)
        return taken

    def give_back(self, count: int) -> None:
        """Return what was taken and not used."""
        if self.left is not None:
            self.left += count


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What a fan-out is about: which accounts of which platform, how many at a time.

    `attempts` is how often the run tries one account that fails for a passing reason.
    """

    platform: Platform
    selection: Selection
    claim: int
    attempts: int
    budget: Budget

    @property
    def page(self) -> int:
        """Return how many accounts a page holds: some seconds of work."""
        in_time = self.platform.limits.rate * _PAGE_SECONDS
        return max(1, math.ceil(min(in_time, self.claim // _PAGES)))


class Fanout:
    """Works through one platform's due accounts; `run` may be called again after a halt.

    After `run`, `halted_by` tells what the platform said to stop it; None: nothing is left, or the
    run should stop.
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
        # Accounts this pass took on and has not committed.
        self._held: set[AccountId] = set()
        self._meter = Meter()
        self.halted_by: PlatformError | None = None

    async def run(self) -> None:
        """Make one pass: everything due, oldest first, then what failed on the way.

        Raises:
            StoreUnavailable: PostgreSQL broke off; what was committed stays, the rest is due.
        """
        self.halted_by = None
        try:
            async with asyncio.TaskGroup() as group:
                watcher = group.create_task(self._cancel_after_grace())
                await self._work_through(self._due(), group)
                await self._work_through(self._retries(), group)
                watcher.cancel()
        finally:
            # What was taken and not committed is free again, also of pages that never began.
            self._release(tuple(self._held))
            self._lanes.cancel()

    async def _work_through(
        self, pages: AsyncIterator[Sequence[Claim]], lanes: asyncio.TaskGroup
    ) -> None:
        """Settle pages side by side; the next one is claimed when there is room for it."""
        room = asyncio.Semaphore(self._work.claim // self._work.page)
        async with asyncio.TaskGroup() as group:
            await room.acquire()
            async for page in pages:
                settling = group.create_task(self._settle(page, lanes))
                settling.add_done_callback(lambda _: room.release())
                await room.acquire()

    @property
    def _should_end(self) -> bool:
        return self.halted_by is not None or self._context.stop.is_requested

    async def _due(self) -> AsyncIterator[Sequence[Claim]]:
        """Claim page after page, oldest attempt first."""
        position, run_id = START, self._context.run.id
        while await self._may_go_on():
            wanted = self._work.budget.take(self._work.page)
            if not wanted:
                return
            busy = frozenset(self._in_flight)
            claims = await self._around.stores.accounts.claim(
                self._work.selection, self._work.platform.name, run_id, position, wanted
            )
            taken = self._take(claims, busy)
            self._work.budget.give_back(wanted - len(taken))
            if not claims:
                return
            last = claims[-1]
            position = Position(attempted_at=last.attempted_at, account_id=last.account.id)
            yield taken

    async def _retries(self) -> AsyncIterator[Sequence[Claim]]:
        """Claim what this run failed with before, each account when its wait is over."""
        clock = self._around.clock
        while await self._may_go_on():
            busy = frozenset(self._in_flight)
            waiting = await self._around.stores.accounts.claim_retries(
                self._context.run.id, self._work.platform.name, self._work.page
            )
            if not waiting:
                return
            now = clock.now()
            taken = self._take([claim for due_at, claim in waiting if due_at <= now], busy)
            if taken:
                yield taken
            else:
                wait = (waiting[0][0] - now).total_seconds()
                self._progress.wait(f"{self._work.platform.name}: next retry in {wait:.1f} s")
                await clock.sleep(min(max(wait, 0.05), 1.0))

    async def _may_go_on(self) -> bool:
        """Wait while a person holds the job or the platform; False when the pass should end."""
        admission, name = self._around.admission, self._work.platform.name
        while not self._should_end:
            pause = admission.holding(self._context.run.job, name)
            if pause is None:
                return True
            self._progress.wait(f"paused by a person: {pause.why or pause.scope}")
            await admission.wait_for_change()
        return False

    def _take(self, claims: Sequence[Claim], busy: AbstractSet[AccountId]) -> Sequence[Claim]:
        """Hold what no run of this kind asks for, now or (`busy`) when the claims were read.

        Who was committed in between may stand in the claims as they were before.
        """
        asked = busy | self._in_flight
        taken = [claim for claim in claims if claim.account.id not in asked]
        self._held.update(claim.account.id for claim in taken)
        self._in_flight.update(claim.account.id for claim in taken)
        return taken

    def _release(self, accounts: Iterable[AccountId]) -> None:
        self._held.difference_update(accounts)
        self._in_flight.difference_update(accounts)

    @property
    def _in_flight(self) -> set[AccountId]:
        return self._around.in_flight.setdefault(self._work.selection.kind, set())

    async def _settle(self, page: Sequence[Claim], lanes: asyncio.TaskGroup) -> None:
        """Ask for the accounts of a page and commit what came of them."""
        try:
            answers = await self._lanes.work_through(lanes, page) if page else ()
            await self._commit([item for item in answers if item is not None])
            unasked = [claim for claim, item in zip(page, answers, strict=True) if item is None]
            self._work.budget.give_back(sum(not claim.attempts for claim in unasked))
        finally:
            self._release([claim.account.id for claim in page])

    async def _ask_in_turn(self, claim: Claim) -> Item | None:
        """Ask for one account when it is its turn; None when it was not asked and stays due."""
        if not await self._may_go_on():
            return None
        if not self._around.admission.admits(claim.account):
            return Withdrawn(account=claim.account)
        return await self._ask(claim)

    async def _ask(self, claim: Claim) -> Item | None:
        current_meter.set(self._meter)
        try:
            answer = await self._work.platform.fetch(claim.account)
        except (ItemError, PlatformError) as error:
            return self._judged(claim, error)
        except Exception as error:  # one item's bug must not stop the others
            return self._unforeseen(claim, error)
        return Success(account=claim.account, answer=answer)

    def _judged(self, claim: Claim, error: ItemError | PlatformError) -> Item | None:
        try:
            item = self._judge.judge(claim, error)
        except PlatformError as halting:
            self.halted_by = self.halted_by or halting
            return None
        self._tell_failure(claim, error.outcome, str(error), stack="")
        return item

    def _unforeseen(self, claim: Claim, error: Exception) -> Item:
        text = f"unforeseen {type(error).__name__} while reading {claim.account.handle!r}"
        self._tell_failure(claim, "error", text, stack=traceback.format_exc())
        return Failure(account=claim.account, outcome="error", error=text)

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
        for failure in committed.quarantined:
            self._around.bus.emit(
                AccountChanged(
                    platform=failure.account.platform,
                    account_id=failure.account.id,
                    user_key=failure.account.user_key,
                    change="quarantined",
                    detail=failure.error,
                )
            )
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
