"""When a failed request is tried again, and when no more."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """Backoff with full jitter: any wait between 0 and a ceiling that doubles each time.

    `attempts` counts the first one. Full jitter spreads the retries of many requests that failed
    together (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).
    """

    attempts: int = 4
    first_seconds: float = 0.5
    longest_seconds: float = 30.0

    def delay_seconds(self, attempt: int, random: Random) -> float:
        """Return how long to wait after the failed `attempt`, counted from 1."""
        ceiling = min(self.first_seconds * 2.0 ** min(attempt - 1, 60), self.longest_seconds)
        return random.uniform(0.0, ceiling)


class RetryBudget:
    """Keep retries below one per request, so that a failing platform gets at most twice the load.

    A few are always in reserve, so that a lone request can be tried again.

    Args:
        reserve: how many retries may be saved up, and how many there are at the start.
    """

    def __init__(self, reserve: float = 10.0) -> None:
        self._reserve = reserve
        self._left = reserve

    def earn(self) -> None:
        """Count a request, which pays for one retry."""
        self._left = min(self._left + 1.0, self._reserve)

    def spend(self) -> bool:
        """Take a retry if one is left."""
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True
