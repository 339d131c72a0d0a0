"""Who leads: of several syncd on one database one fires and executes, the others stand by.

The lease in PostgreSQL decides, and every write shows its epoch (`store.fence`), so that nothing is
ever written twice whatever this process believes. What is decided here is what it believes: that it
leads until a deadline on its own clock, counted from before the last renewal was asked for and
shorter than the lease. A process that was frozen, cut off or overtaken stops what it runs, stands
by and tries again; it does not exit.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from datetime import timedelta
from typing import Any, NoReturn, Protocol, TypeVar

from syncd.clock import Clock
from syncd.errors import LeaseLost, NotLeading, StoreUnavailable
from syncd.model.lease import Candidate, Lease
from syncd.store.fence import Fence
from syncd.telemetry.bus import Bus
from syncd.telemetry.events import LeadLost, LeadTaken

_T = TypeVar("_T")

# Who stands by looks this often: a leader that stopped in order is followed at once.
_LOOK_SECONDS = 1.0
_LOOKS_PER_LESSON = 10
_RENEWALS_PER_LEASE = 3
# Of the lease, how long we believe in it; the rest is for stopping what runs.
_TRUSTED_SHARE = 5 / 6
_RELEASE_SECONDS = 2.0


class Leases(Protocol):
    """Where the lease is kept: `store.leases.LeaseStore`."""

    async def read(self) -> Lease | None:
        """Return who leads, or led last."""

    async def take(self, candidate: Candidate, ttl: timedelta) -> int | None:
        """Lead from now on, and return the epoch; None while somebody else does."""

    async def renew(self, epoch: int, ttl: timedelta) -> bool:
        """Lead for another `ttl`; False where somebody else does."""

    async def release(self, epoch: int) -> None:
        """Let anybody take it at once."""


Step = Callable[[], Awaitable[None]]


async def _nothing() -> None:
    """Do nothing."""


class Leadership:
    """Takes the lease, keeps it, and lets go of it.

    Before `enter`, with which `keep` and `lead_once` begin, it refuses nothing.

    Args:
        leases: where the lease is kept.
        fence: let open only as long as we lead.
        candidate: who we are.
        ttl: how long the lease lasts when it is not renewed.
        let_go: ends at once, without a word to the database, what was begun as the leader.
        clock, bus: as everywhere.
    """

    def __init__(  # noqa: PLR0913 - the parts it joins
        self,
        leases: Leases,
        fence: Fence,
        candidate: Candidate,
        *,
        ttl: timedelta,
        let_go: Step,
        clock: Clock,
        bus: Bus,
    ) -> None:
        self._leases = leases
        self._fence = fence
        self._ttl = ttl
        self._let_go = let_go
        self._clock = clock
        self._bus = bus
        self._epoch: int | None = None
        self._trusted_until = 0.0
        self._has_begun = False
        self._looks = 0
        self.candidate = candidate
        self.leader: Lease | None = None
        """Who leads, as far as is known."""
        self.on_renewed: Step = _nothing
        """What is done after each renewal: the database answers."""
        self.before_release: Step = _nothing
        """What is still written as the leader, in order, before another may lead."""
        self.on_standby: Step = _nothing
        """What is done every ten seconds, and at first, while somebody else leads."""
        self.renew_instance: Callable[[], str] = lambda: self.candidate.instance
        """Makes a new name for our state directory: somebody uses a copy of it."""

    @property
    def is_leading(self) -> bool:
        """Tell whether this process leads, and may still believe it."""
        return self._epoch is not None and self._clock.monotonic() < self._trusted_until

    @property
    def refusal(self) -> str:
        """Say why this process may change nothing; empty when it may."""
        if self.is_leading or not self._has_begun:
            return ""
        if self._epoch is not None:
            return "this syncd could not renew its lease: another one may lead by now"
        if self.leader is None:
            return "no syncd leads at the moment: this one tries to"
        return f"this syncd stands by: {_named(self.leader)} leads"

    def check(self) -> None:
        """Refuse a change where somebody else leads.

        Raises:
            NotLeading: with the words of `refusal`.
        """
        if self.refusal:
            raise self._not_leading()

    def enter(self) -> None:
        """Be one of several: from now on nothing is changed or written unless we lead."""
        self._has_begun = True
        self._fence.close()

    async def keep(self, lead: Step) -> None:
        """Try to lead for ever; `lead` begins each time we do, and is cancelled when we may not.

        A `lead` that returns leaves us leading. Cancelling this stops `lead` and releases nothing:
        what is under way may still be written until `release`.
        """
        self.enter()
        while True:
            try:
                if not await self._take():
                    await self._clock.sleep(_LOOK_SECONDS)
                    continue
            except StoreUnavailable:
                self.leader = None
                await self._clock.sleep(_LOOK_SECONDS)
                continue
            try:
                await race(self._stay(lead), self._lose())
            except LeaseLost as error:
                await self._step_down(str(error))

    async def lead_once(self, work: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
        """Do some work as the leader, and release the lease afterwards.

        Raises:
            NotLeading: somebody else leads.
            LeaseLost: somebody else took over; the work was cancelled and wrote nothing more.
        """
        self.enter()
        if not await self._take():
            raise self._not_leading()
        try:
            return await race(work(), self._lose())
        except LeaseLost as error:
            await self._step_down(str(error))
            raise
        finally:
            await self.release()

    async def release(self) -> None:
        """Write the rest, then nothing any more, and let another process lead at once."""
        if self._epoch is not None:
            await self.before_release()
        epoch, self._epoch = self._epoch, None
        self._fence.close()
        if epoch is None:
            return
        with contextlib.suppress(StoreUnavailable, TimeoutError):
            async with asyncio.timeout(_RELEASE_SECONDS):
                await self._leases.release(epoch)

    async def _take(self) -> bool:
        """Take the lease if nobody else holds it; remember who does."""
        standing = await self._leases.read()
        ours = standing is not None and standing.instance == self.candidate.instance != ""
        if standing is None or ours or standing.seconds_left <= 0:
            asked_at = self._clock.monotonic()
            epoch = await self._leases.take(self.candidate, self._ttl)
            standing = await self._leases.read()
            if epoch is not None:
                self._begin(epoch, asked_at, standing)
                return True
        await self._stand_by(standing)
        return False

    async def _stand_by(self, standing: Lease | None) -> None:
        is_new = self.leader is None or standing is None or self.leader.epoch != standing.epoch
        self._looks = 0 if is_new else self._looks + 1
        self.leader = standing
        if self._looks % _LOOKS_PER_LESSON == 0:
            await self.on_standby()

    def _begin(self, epoch: int, asked_at: float, standing: Lease | None) -> None:
        self._epoch = epoch
        self._trust(asked_at)
        self.leader = standing
        self._fence.open(epoch)
        self._bus.emit(LeadTaken(holder=self.candidate.holder, epoch=epoch))

    def _trust(self, asked_at: float) -> None:
        self._trusted_until = asked_at + self._ttl.total_seconds() * _TRUSTED_SHARE

    async def _stay(self, lead: Step) -> NoReturn:
        """Begin what a leader does; once that has ended, lead all the same."""
        await lead()
        await asyncio.get_running_loop().create_future()
        raise AssertionError

    async def _lose(self) -> NoReturn:
        """Renew the lease until we may lead no more."""
        raise LeaseLost(await race(self._renew(), self._distrust(), self._be_refused()))

    async def _renew(self) -> str:
        interval = self._ttl.total_seconds() / _RENEWALS_PER_LEASE
        epoch = self._epoch
        assert epoch is not None, "who leads has an epoch"
        wait = interval
        while True:
            await self._clock.sleep(wait)
            asked_at = self._clock.monotonic()
            try:
                async with asyncio.timeout(interval):
                    if not await self._leases.renew(epoch, self._ttl):
                        return "another process leads"
                self._trust(asked_at)
                wait = interval
                await self.on_renewed()
            except LeaseLost as error:
                return str(error)
            except (StoreUnavailable, TimeoutError):
                wait = min(interval, _LOOK_SECONDS)

    async def _distrust(self) -> str:
        while (left := self._trusted_until - self._clock.monotonic()) > 0:
            await self._clock.sleep(left)
        # At once: what is ended next may take its time.
        self._fence.close()
        return "the lease could not be renewed in time"

    async def _be_refused(self) -> str:
        await self._fence.refused.wait()
        return "a write was refused: another process leads"

    async def _step_down(self, why: str) -> None:
        epoch, self._epoch = self._epoch, None
        self._fence.close()
        self.leader = None
        await self._let_go()
        self._bus.emit(LeadLost(holder=self.candidate.holder, epoch=epoch or 0, why=why))
        with contextlib.suppress(StoreUnavailable, TimeoutError):
            async with asyncio.timeout(_LOOK_SECONDS):
                self._note_copy(epoch, await self._leases.read())

    def _note_copy(self, epoch: int | None, standing: Lease | None) -> None:
        """Take another name where a second process has ours: its state directory is a copy."""
        if standing is None or standing.epoch == epoch:
            return
        self.leader = standing
        if standing.instance == self.candidate.instance:
            self.candidate = replace(self.candidate, instance=self.renew_instance())

    def _not_leading(self) -> NotLeading:
        where = self.leader.listen if self.leader is not None and self._epoch is None else ""
        hint = f"ask the one that leads: its control port is {where}" if where else None
        return NotLeading(self.refusal, leader=where, hint=hint or "try again in a moment")


def _named(lease: Lease) -> str:
    return f"{lease.holder} ({lease.listen})" if lease.listen else lease.holder


async def race(*works: Coroutine[Any, Any, _T]) -> _T:
    """Return or raise what the first of some works does, once the others were cancelled."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return next(task for task in tasks if task.done()).result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
