"""What a caller may use, and what one credential has used of it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from enum import StrEnum

from syncd.clock import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """GitHub's published limits, and how it tells that they were exceeded.

    The primary limit counts requests in a fixed window that begins with the first one; the
    secondary ones count what is in flight and what came in any 60 seconds. Both kinds are
    documented to answer 403 or 429. `tells_wait` off is the form that only the body explains.
    GraphQL has its own window, counted in points, and its own points a minute.
    """

    primary: int = 5_000
    graphql: int = 5_000
    anonymous: int = 60
    window_seconds: float = 3_600
    points_per_minute: int = 900
    graphql_points_per_minute: int = 2_000
    concurrent: int = 100
    penalty_seconds: int = 60
    primary_status: int = 403
    secondary_status: int = 403
    tells_wait: bool = True

    def scaled(self, factor: float) -> Limits:
        """Return the same limits `factor` times as wide; windows and penalties stay."""
        return replace(
            self,
            primary=round(self.primary * factor),
            graphql=round(self.graphql * factor),
            anonymous=round(self.anonymous * factor),
            points_per_minute=round(self.points_per_minute * factor),
            graphql_points_per_minute=round(self.graphql_points_per_minute * factor),
            concurrent=round(self.concurrent * factor),
        )


class Refusal(StrEnum):
    """Which kind of limit was exceeded."""

    PRIMARY = "primary"
    SECONDARY = "secondary"


class Window:
    """How many requests came in the last `seconds`, to the exact one."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._arrivals: deque[float] = deque()

    def add(self, now: float) -> int:
        """Count one more; return how many came in the window that ends now."""
        self._arrivals.append(now)
        while self._arrivals[0] <= now - self._seconds:
            self._arrivals.popleft()
        return len(self._arrivals)


class Budget:
    """What one credential, or one anonymous address, has used.

    Args:
        limits: what it may use.
        limit: its primary limit.
        clock: tells the time.
    """

    def __init__(self, limits: Limits, limit: int, clock: Clock) -> None:
        self.limit = limit
        self.used = 0
        self.reset_at = 0
        self.in_flight = 0
        self.last_minute = 0
        self.last_second = 0
        self._limits = limits
        self._clock = clock
        self._minute = Window(60)
        self._second = Window(1)
        self._blocked_until = float("-inf")

    @property
    def remaining(self) -> int:
        """Tell what is left of the primary limit."""
        return self.limit - self.used

    def as_json(self) -> dict[str, int]:
        """Return what the service tells about its primary limit."""
        told = {"limit": self.limit, "used": self.used}
        return told | {"remaining": max(0, self.remaining), "reset": self.reset_at}

    def arrive(self) -> Refusal | None:
        """Count a request that arrives (every one costs a point); tell why it is refused, if so.

        A caller who exceeds a secondary limit is refused until the penalty is over.
        """
        now = self._clock.monotonic()
        self.last_minute = self._minute.add(now)
        self.last_second = self._second.add(now)
        self.renew()
        if now < self._blocked_until:
            return Refusal.SECONDARY
        if self._exceeds_secondary():
            self._blocked_until = now + self._limits.penalty_seconds
            return Refusal.SECONDARY
        return None

    def renew(self) -> None:
        """Begin a new primary window if the last one is over."""
        now = self._clock.now().timestamp()
        if now >= self.reset_at:
            self.used = 0
            self.reset_at = int(now + self._limits.window_seconds)

    def charge(self) -> None:
        """Take one request from the primary limit."""
        self.used += 1

    def _exceeds_secondary(self) -> bool:
        too_fast = self.last_minute > self._limits.points_per_minute
        return too_fast or self.in_flight > self._limits.concurrent
