"""The gate: what a request passes before it leaves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from syncd.clock import Clock, Instant
from syncd.errors import RateLimited
from syncd.outbound.limiter import TokenBucket
from syncd.outbound.meter import current_meter
from syncd.outbound.pause import Pauses
from syncd.outbound.quota import Quota
from syncd.telemetry.bus import Bus

# A wait up to this long happens at the gate; a longer one ends the run's work on the platform.
WAIT_THROUGH_SECONDS = 60.0

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

    __slots__ = ("charge",)

    def __init__(self) -> None:
        self.charge = Charge.SPENT


class Gate:
    """Let requests of one credential leave when pauses, quota, slots and bucket all allow it.

    Requests stand in one line. Only its head waits, and what it waits for it takes in one step,
    without waiting in between: so nobody holds a slot or a permit while waiting, a permit is
    never older than the request that uses it, and a pause that begins meanwhile is seen.

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
        self.pauses = Pauses(platform, credential, clock, bus)
        self.quota = Quota(limits.quota, limits.quota_seconds, clock)
        self.calls = 0
        self.saved = 0
        self._platform = platform
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
        """
        await self._enter()
        passage = Passage()
        try:
            yield passage
        finally:
            self._leave(passage.charge)

    def waits_for(self) -> str:
        """Say in words what requests wait for now; empty when they need not."""
        if pause := self.pauses.active:
            return f"{self._platform} pause until {_wall(pause.until)} ({pause.cause})"
        if seconds := self.quota.wait_seconds():
            return f"{self._platform} quota, more at {_wall(self._instant(seconds))}"
        if not self._waiting:
            return ""
        if not self._has_room():
            return f"{self._platform} slots: {self._in_flight} requests in flight"
        delay = self._bucket.delay()
        if delay < _NOTEWORTHY_SECONDS:
            return ""
        return f"{self._platform} bucket: next token {delay:.1f} s"

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
        if not self._has_room():
            self._returned.clear()
            await self._returned.wait()
            return False
        await self._bucket.take()
        return not self._short_wait() and self._has_room()

    def _leave(self, charge: Charge) -> None:
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
        """
        quota_seconds = self.quota.wait_seconds()
        if quota_seconds > WAIT_THROUGH_SECONDS:
            self.pauses.pause(quota_seconds, "quota")
        pause = self.pauses.active
        left = self.pauses.left_seconds()
        if pause is not None and left > WAIT_THROUGH_SECONDS:
            raise RateLimited(
                f"{self._platform} must not be asked before {_wall(pause.until)}: {pause.cause}",
                until=pause.until,
            )
        return max(quota_seconds, left)

    def _instant(self, seconds: float) -> Instant:
        return self._clock.now() + timedelta(seconds=seconds)


def _wall(at: Instant) -> str:
    return f"{at:%H:%M:%S} UTC" if at.second else f"{at:%H:%M} UTC"
