"""The token bucket: a steady rate and a burst. Who waits for it stands in the gate's lines."""

from __future__ import annotations

import math

# A timer of the event loop fires up to a millisecond late, so above some hundred permits per
# second several are due at once. What fell due in the last 20 ms may be caught up with.
CATCH_UP_SECONDS = 0.02

# Virtual and real clocks add floats; a permit due within a nanosecond is due.
ROUNDING_SECONDS = 1e-9


class TokenBucket:
    """The arithmetic of the bucket (generic cell rate algorithm), without any waiting.

    In any window of `w` seconds it allows at most `rate * (w + tolerance) + 1` permits, where the
    tolerance is the time that `burst - 1` permits take, and at least the catch-up time.

    Args:
        rate: permits per second, above 0.
        burst: permits that may go at once after a rest, at least 1.
    """

    def __init__(self, rate: float, burst: int = 1) -> None:
        self._next_at = -math.inf
        self._interval = 0.0
        self.adopt(rate, burst, 0.0)

    def adopt(self, rate: float, burst: int, now: float) -> None:
        """Have another rate and burst from now on; permits that were taken cost their new time."""
        interval = 1.0 / rate
        last_at = self._next_at - self._interval
        if last_at > now:  # several were taken at once
            last_at = now + (last_at - now) * interval / self._interval
        self._next_at = last_at + interval
        self._interval = interval
        self._tolerance = max((burst - 1) * self._interval, CATCH_UP_SECONDS)

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
