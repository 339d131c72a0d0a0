"""The gate: what a request passes before it leaves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from syncd.clock import Clock, Instant
from syncd.errors import RateLimited
from syncd.model.gate import GateState
from syncd.outbound.breaker import Breaker
from syncd.outbound.limiter import TokenBucket
from syncd.outbound.meter import current_meter
from syncd.outbound.pause import Pauses, wall
from syncd.outbound.quota import Quota
from syncd.telemetry.bus import Bus

# A wait up to this long happens at the gate; a longer one ends the run's work on the platform.
WAIT_THROUGH_SECONDS = 60.0

Remember = Callable[[GateState], None]
"""Keeps a gate's state for after a restart; quick, and called only when there is something new."""

# Shorter waits for a token are the pace itself, nothing to tell.
_NOTEWORTHY_SECONDS = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a platform allows one credential.

    `rate` is permits per second, `quota` requests per `quota_seconds` (None: no such limit),
    `slots` requests at a time, `timeout_seconds` the deadline of one request.
    """

    rate: float
    burst: int = 1
    quota: int | None = None
    quota_seconds: float = 3600.0
    slots: int = 10
    timeout_seconds: float = 30.0


class Charge(StrEnum):
    """What a request cost the platform's quota."""

    SPENT = "spent"
    SAVED = "saved"
    UNSENT = "unsent"


class Passage:
    """One request on its way; it counts as spent unless `charge` is set to something better."""

    __slots__ = ("charge", "is_trial")

    def __init__(self, *, is_trial: bool) -> None:
        self.charge = Charge.SPENT
        self.is_trial = is_trial


class Gate:
    """Let requests of one credential leave when breaker, pauses, quota, slots and bucket allow it.

    Requests stand in one line. Only its head waits, and what it waits for it takes in one step,
    without waiting in between: so nobody holds a slot or a permit while waiting, a permit is
    never older than the request that uses it, and a pause that begins meanwhile is seen. While
    the breaker is half open the head waits for the answer of the one request that is tried.

    What must outlive the process is told to `remember`, and given back by `restore`.

    Args:
        platform: the platform's name.
        credential: the credential's name.
        limits: what the platform allows.
        clock: where time comes from.
        bus: where pauses are told.
    """

    def __init__(
        self, platform: str, credential: str, limits: Limits, *, clock: Clock, bus: Bus
    ) -> None:
        self.pauses = Pauses(platform, credential, clock, bus, self._remember)
        self.breaker = Breaker(platform, credential, clock, bus, self._remember)
        self.quota = Quota(limits.quota, limits.quota_seconds, clock)
        self.calls = 0
        self.saved = 0
        self.remember: Remember = lambda _: None
        self._told = GateState(platform=platform, credential=credential)
        self.platform = platform
        self._clock = clock
        self._bucket = TokenBucket(limits.rate, limits.burst, clock)
        self._slots = limits.slots
        self._in_flight = 0
        self._waiting = 0
        self._line = asyncio.Lock()
        self._returned = asyncio.Event()

    @property
    def in_flight(self) -> int:
        """How many requests have left and not ended."""
        return self._in_flight

    @property
    def waiting(self) -> int:
        """How many requests stand before the gate."""
        return self._waiting

    @asynccontextmanager
    async def passage(self) -> AsyncIterator[Passage]:
        """Wait until a request may leave; it is in flight as long as the context lasts.

        Raises:
            RateLimited: nothing may leave for more than a minute.
            PlatformDown, PlatformBlocked: the breaker is open.
        """
        await self._enter()
        passage = Passage(is_trial=self.breaker.begin_trial())
        try:
            yield passage
        finally:
            self._leave(passage)

    def closed_until(self) -> Instant | None:
        """Return until when nothing may leave, for whatever reason; None when something may."""
        left = max(self.pauses.left_seconds(), self.breaker.left_seconds())
        return self._instant(left) if left else None

    def restore(self, state: GateState) -> None:
        """Go on as it was before a restart, before the first request."""
        self._told = state
        self.pauses.restore(state)
        self.breaker.restore(state)

    def waits_for(self) -> str:
        """Say in words what requests wait for now; empty when they need not."""
        if obstacle := self._long_obstacle():
            return obstacle
        if not self._waiting:
            return ""
        if not self._has_room():
            return f"{self.platform} slots: {self._in_flight} requests in flight"
        delay = self._bucket.delay()
        if delay < _NOTEWORTHY_SECONDS:
            return ""
        return f"{self.platform} bucket: next token {delay:.1f} s"

    def _long_obstacle(self) -> str:
        """Say what keeps everybody from leaving, whether somebody wants to or not."""
        if obstacle := self.breaker.in_words() or self.pauses.in_words():
            return obstacle
        if seconds := self.quota.wait_seconds():
            more_at = wall(self._instant(seconds), self._clock.now())
            return f"{self.platform} quota, more at {more_at}"
        return ""

    async def _enter(self) -> None:
        self._short_wait()
        self._waiting += 1
        try:
            async with self._line:
                while not await self._is_admitted():
                    pass
        finally:
            self._waiting -= 1
        self._in_flight += 1
        self.calls += 1

    async def _is_admitted(self) -> bool:
        """Wait for one obstacle; tell, without waiting, whether none is left."""
        if wait := self._short_wait():
            await self._clock.sleep(wait)
            return False
        if self.breaker.is_trying:
            await self.breaker.wait_for_trial()
            return False
        if not self._has_room():
            self._returned.clear()
            await self._returned.wait()
            return False
        await self._bucket.take()
        return not self._short_wait() and self._has_room()

    def _leave(self, passage: Passage) -> None:
        charge = passage.charge
        if passage.is_trial:
            self.breaker.end_trial()
        self._in_flight -= 1
        self._returned.set()
        meter = current_meter.get()
        if charge is Charge.UNSENT:
            self.calls -= 1
            return
        if meter is not None:
            meter.calls += 1
            meter.saved += charge is Charge.SAVED
        if charge is Charge.SAVED:
            self.saved += 1
        else:
            self.quota.spend()

    def _has_room(self) -> bool:
        return self._in_flight < min(self._slots, self.quota.left())

    def _short_wait(self) -> float:
        """Return how long nothing may leave.

        Raises:
            RateLimited: it is too long to wait through here.
            PlatformDown, PlatformBlocked: the breaker is open.
        """
        self.breaker.check()
        quota_seconds = self.quota.wait_seconds()
        if quota_seconds > WAIT_THROUGH_SECONDS:
            self.pauses.pause(quota_seconds, "quota")
        pause = self.pauses.active
        left = self.pauses.left_seconds()
        if pause is not None and left > WAIT_THROUGH_SECONDS:
            raise RateLimited(
                f"{self.platform} must not be asked before "
                f"{wall(pause.until, self._clock.now())}: {pause.cause}",
                until=pause.until,
            )
        return max(quota_seconds, left)

    def _remember(self) -> None:
        """Tell what must outlive the process, where that is news; short pauses are not."""
        pause = self.pauses.active
        if pause is None or self.pauses.left_seconds() <= WAIT_THROUGH_SECONDS:
            pause = None
        breaker = self.breaker
        state = GateState(
            platform=self._told.platform,
            credential=self._told.credential,
            paused_until=None if pause is None else pause.until,
            pause_cause="" if pause is None else pause.cause,
            pauses_in_a_row=0 if pause is None else self.pauses.in_a_row,
            openings=breaker.openings,
            opened_at=breaker.since,
            open_until=breaker.until,
            failure=breaker.failure,
            error=breaker.error,
        )
        if state != self._told:
            self._told = state
            self.remember(state)

    def _instant(self, seconds: float) -> Instant:
        return self._clock.now() + timedelta(seconds=seconds)
