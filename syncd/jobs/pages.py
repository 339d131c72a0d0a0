"""Which accounts one pass takes on: claimed from the store a haul at a time, while there is room.

Together at most `most` accounts stand between being claimed and being released: that is what a
kill can lose (it is asked again) and what memory holds. A sweep tells of more accounts than a page
holds; the next one waits for room for half of them, so that many changes never make sweeps small.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet

from syncd.jobs.base import RunContext
from syncd.jobs.in_flight import InFlight
from syncd.jobs.progress import Progress
from syncd.jobs.work import Work
from syncd.model.account import AccountId
from syncd.model.item import Claim
from syncd.store.accounts import START, Position

MayGoOn = Callable[[], Awaitable[bool]]
"""Waits while a person holds the work; False when the pass should end."""


class Pages:
    """Hands out the accounts of one pass; nobody else asks for them until they are released."""

    def __init__(
        self, context: RunContext, work: Work, progress: Progress, may_go_on: MayGoOn
    ) -> None:
        self._run_id = context.run.id
        self._clock = context.around.clock
        self._accounts = context.around.stores.accounts
        self._in_flight = context.around.in_flight.setdefault(work.selection.kind, InFlight())
        self._work = work
        self._progress = progress
        self._may_go_on = may_go_on
        self._held: set[AccountId] = set()
        self._released = asyncio.Event()

    async def due(self) -> AsyncIterator[Sequence[Claim]]:
        """Claim haul after haul, oldest attempt first."""
        position, work = START, self._work
        while await self._may_go_on():
            wanted = await work.budget.take(await self._room())
            if not wanted:
                return
            with self._in_flight.watched() as busy:
                claims = await self._accounts.claim(
                    work.selection, work.platform.name, self._run_id, position, wanted
                )
            taken = self._take(claims, busy)
            work.budget.give_back(wanted - len(taken))
            if not claims:
                return
            last = claims[-1]
            position = Position(attempted_at=last.attempted_at, account_id=last.account.id)
            yield taken

    async def retries(self) -> AsyncIterator[Sequence[Claim]]:
        """Claim what this run failed with before, each account when its wait is over."""
        work, name = self._work, self._work.platform.name
        while await self._may_go_on():
            room = min(await self._room(), work.page)
            with self._in_flight.watched() as busy:
                waiting = await self._accounts.claim_retries(
                    self._run_id, name, room, work.selection.credential
                )
            if not waiting:
                return
            now = self._clock.now()
            taken = self._take([claim for due_at, claim in waiting if due_at <= now], busy)
            if taken:
                yield taken
            else:
                wait = (waiting[0][0] - now).total_seconds()
                words = f"{name}: next retry in {wait:.1f} s"
                self._progress.wait(work.platform.naming(words))
                await self._clock.sleep(min(max(wait, 0.05), 1.0))

    def release(self, accounts: Iterable[AccountId]) -> None:
        """Let others ask for these accounts: they are stored, or nobody will ask for them."""
        released = tuple(accounts)
        self._held.difference_update(released)
        self._in_flight.release(released)
        self._released.set()

    def release_all(self) -> None:
        """Let go of everything, also of what was taken on and never begun."""
        self.release(tuple(self._held))

    async def _room(self) -> int:
        """Wait for room; return how many accounts may be taken on."""
        work = self._work
        least = work.page if work.haul == work.page else max(1, work.haul // 2)
        while (room := work.most - len(self._held)) < least:
            self._released.clear()
            await self._released.wait()
        return min(room, work.haul)

    def _take(self, claims: Sequence[Claim], busy: AbstractSet[AccountId]) -> Sequence[Claim]:
        """Hold whom no run of this kind had in flight since the claims were asked for (`busy`).

        Who was committed in between may stand in the claims as they were before.
        """
        taken = [claim for claim in claims if claim.account.id not in busy]
        numbers = [claim.account.id for claim in taken]
        self._held.update(numbers)
        self._in_flight.take(numbers)
        return taken
