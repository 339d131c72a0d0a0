"""A quota over a long window, such as 5,000 an hour: ours, and what the server says about its own.

We do not know where the server's windows begin, nor when a request arrived there: some time
between our sending it and its answer. So a request counts from when it is sent until a whole
window after its answer. What leaves after that arrives more than a window later than it, so no
window of the server, fixed or sliding, holds both, and none holds more than the limit.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from syncd.clock import Clock

# Requests are counted in this many grains per window, each kept until its last request may go.
GRAINS = 1000

# The server's seconds are whole ones and its answers overtake each other.
SAME_WINDOW_SECONDS = 5.0
RESET_MARGIN_SECONDS = 1.0

LONGEST_WINDOW_SECONDS = 7 * 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaReport:
    """What a server says about its window: `remaining` requests until it resets.

    `resets_in_seconds` is relative, so that a wrong clock on either side does no harm. `limit` is
    how many the whole window allows, None where the server does not say; `resource` what the
    window is of, where it says that.
    """

    remaining: int
    resets_in_seconds: float
    limit: int | None = None
    resource: str = ""


class Quota:
    """Tell how many requests may be in flight, and when there will be more.

    The gate keeps the requests in flight below `left`; each is `spent` when it ends, unless it
    cost nothing. The server's word counts until its window ends, and only where it is lower.

    Args:
        limit: requests per window, at least 1; None leaves it to the server's word alone.
        window_seconds: the length of the window.
        clock: where time comes from.
        reserve: the share (0 to below 1) that only manual triggers may use.
    """

    def __init__(
        self, limit: int | None, window_seconds: float, clock: Clock, reserve: float = 0.0
    ) -> None:
        self._clock = clock
        self._spent: deque[list[float]] = deque()  # [counts until, how many], oldest first
        self._window = self._grain = 0.0
        self.adopt(limit, window_seconds, reserve)
        self._count = 0.0
        self._report: QuotaReport | None = None
        self._resets_at = -math.inf
        self._told_limit = 0.0

    def adopt(self, limit: int | None, window_seconds: float, reserve: float) -> None:
        """Have other limits from now on; what was spent counts for a window of the new length."""
        before = self._window + self._grain
        self._limit = math.inf if limit is None else limit
        self._window = window_seconds if limit is not None else LONGEST_WINDOW_SECONDS
        self._reserve = reserve
        self._grain = self._window / GRAINS
        for grain in self._spent:
            grain[0] += self._window + self._grain - before

    def left(self) -> float:
        """Return how many requests may be in flight now; infinite where nobody sets a limit."""
        self._forget()
        ours = self._limit - self._count
        return ours if self._report is None else min(ours, self._report.remaining)

    def size(self) -> float:
        """Return how many requests a whole window allows, as far as is known; else infinite."""
        return self._limit if self._report is None else self._told_limit

    def reserved(self) -> int:
        """Return how many requests of a window are the reserve."""
        if not self._reserve:
            return 0
        size = self.size()
        return 0 if size == math.inf else int(size * self._reserve)

    def wait_seconds(self, kept: float = 0) -> float:
        """Return how long it takes until more than `kept` are left: 0 while they are."""
        if self.left() > kept:
            return 0.0
        free_at = self._freed_at(self._count + kept - self._limit)
        if self._report is not None and self._report.remaining <= kept:
            free_at = max(free_at, self._resets_at)
        return free_at - self._clock.monotonic()

    def spread(self, kept: float, spare: float, low: float) -> Iterator[tuple[float, float]]:
        """Yield until when how many requests must last, while fewer than `low` are to be had.

        Args:
            kept: how many stay untouched.
            spare: how many may leave now.
            low: where the worry ends.
        """
        if self._report is not None and self._report.remaining - kept < low:
            yield self._resets_at, spare
        if self._limit - self._count - kept >= low:
            return
        for until, count in self._spent:
            yield until, spare
            spare += count
            if spare >= low:
                return

    def _freed_at(self, short: float) -> float:
        """Return when more than `short` of our own places will be free again."""
        for until, count in self._spent if short >= 0 else ():
            short -= count
            if short < 0:
                return until
        return -math.inf

    def spend(self) -> None:
        """Count a request that has ended and was not free."""
        if self._limit == math.inf:
            return
        until = self._clock.monotonic() + self._window
        if not self._spent or until > self._spent[-1][0]:
            self._spent.append([until + self._grain, 0])
        self._spent[-1][1] += 1
        self._count += 1

    def note(self, report: QuotaReport) -> None:
        """Believe the server where it is newer, or lower for the same window."""
        if report.resets_in_seconds <= 0:
            return
        now = self._clock.monotonic()
        resets_at = now + min(report.resets_in_seconds, self._window) + RESET_MARGIN_SECONDS
        same_seconds = min(SAME_WINDOW_SECONDS, self._window / 10)
        if self._report is None or resets_at > self._resets_at + same_seconds:
            self._report, self._resets_at = report, resets_at
            told = report.limit or (self._limit if self._limit < math.inf else report.remaining)
            self._told_limit = min(self._limit, told)
        elif report.remaining < self._report.remaining and (
            resets_at > self._resets_at - same_seconds
        ):
            self._report = report

    def forget_report(self) -> None:
        """Believe the server no longer, until it says something again."""
        self._report = None

    def _forget(self) -> None:
        if not self._spent and self._report is None:
            return
        now = self._clock.monotonic()
        while self._spent and self._spent[0][0] <= now:
            self._count -= self._spent.popleft()[1]
        if self._report is not None and now >= self._resets_at:
            self._report = None
