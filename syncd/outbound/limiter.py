"""The token bucket: a steady rate, a burst, one queue, one timer."""

from __future__ import annotations

import asyncio
import math
from collections import deque

from syncd.clock import Clock

# A timer of the event loop fires up to a millisecond late, so above some hundred permits per
# second several are due at once. What fell due in the last 20 ms may be caught up with.
CATCH_UP_SECONDS = 0.02

# Virtual and real clocks add floats; a permit due within a nanosecond is due.
ROUNDING_SECONDS = 1e-9


class Gcra:
    """The arithmetic of the bucket (generic cell rate algorithm), without any waiting.

    In any window of `w` seconds it allows at most `rate * (w + tolerance) + 1` permits, where the
    tolerance is the time that `burst - 1` permits take, and at least the catch-up time.

    Args:
        rate: permits per second, above 0.
        burst: permits that may go at once after a rest, at least 1.
    """

    def __init__(self, rate: float, burst: int = 1) -> None:
        self._interval = 1.0 / rate
        self._tolerance = max((burst - 1) * self._interval, CATCH_UP_SECONDS)
        self._next_at = -math.inf

    def delay(self, now: float) -> float:
        """Return in how many seconds a permit is due; 0 when it is now."""
        delay = self._next_at - self._tolerance - now
        return delay if delay > ROUNDING_SECONDS else 0.0

    def take(self, now: float) -> bool:
        """Take a permit if one is due."""
        if self.delay(now):
            return False
        # A bucket is never fuller than full: time that passed unused beyond the tolerance is lost.
        self._next_at = max(self._next_at, now) + self._interval
        return True

    def give_back(self) -> None:
        """Return a permit that was taken at this very instant and not used."""
        self._next_at -= self._interval


class TokenBucket:
    """Hand out permits first come, first served.

    The head of the queue leads: it alone sleeps until the next permit is due, takes it, serves
    those behind it whose permits are due as well, and makes the next one lead. The queue is empty
    or its head is a live leader; those who gave up farther back are skipped when their turn comes.

    Args:
        rate: permits per second, above 0.
        burst: permits that may go at once after a rest, at least 1.
        clock: where time comes from.
    """

    def __init__(self, rate: float, burst: int, clock: Clock) -> None:
        self._gcra = Gcra(rate, burst)
        self._clock = clock
        self._queue: deque[asyncio.Future[bool]] = deque()

    def delay(self) -> float:
        """Return in how many seconds the next permit is due, whoever gets it."""
        return self._gcra.delay(self._clock.monotonic())

    async def take(self) -> None:
        """Return when a permit is ours. A caller that is cancelled has taken none."""
        if not self._queue and self._gcra.take(self._clock.monotonic()):
            return
        turn: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._queue.append(turn)
        try:
            leads = self._queue[0] is turn or not await turn
            if leads:
                await self._lead()
        except BaseException:
            self._withdraw(turn)
            raise

    async def _lead(self) -> None:
        while not self._gcra.take(self._clock.monotonic()):
            await self._clock.sleep(self.delay())
        self._queue.popleft()
        self._serve()

    def _serve(self) -> None:
        """Grant what is due to those who still wait (True), then name the new leader (False)."""
        now = self._clock.monotonic()
        while self._queue:
            if self._queue[0].done():
                self._queue.popleft()
            elif self._gcra.take(now):
                self._queue.popleft().set_result(True)
            else:
                self._queue[0].set_result(False)
                return

    def _withdraw(self, turn: asyncio.Future[bool]) -> None:
        if self._queue and self._queue[0] is turn:
            self._queue.popleft()
            self._serve()
        elif turn.done() and not turn.cancelled():
            # Granted, but cancelled before it could run. The leader named in the same step has
            # not looked at the clock yet, so the permit is simply due again.
            self._gcra.give_back()
