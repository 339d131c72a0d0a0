"""What one fan-out is about, and how much of it there may be."""

from __future__ import annotations

import math
from dataclasses import dataclass

from syncd.platforms.base import Platform
from syncd.store.accounts import Selection

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

    `attempts` is how often the run tries one account that fails for a passing reason; `sweeps`
    whether the platform may be asked about many at once.
    """

    platform: Platform
    selection: Selection
    claim: int
    attempts: int
    budget: Budget
    sweeps: bool = False

    @property
    def haul(self) -> int:
        """Return how many accounts are claimed at once: a page, or what one sweep can tell of."""
        if not self.sweeps:
            return self.page
        return min(max(self.platform.sweep_size, self.page), self.claim)

    @property
    def page(self) -> int:
        """Return how many accounts a page holds: some seconds of work."""
        in_time = self.platform.limits.rate * _PAGE_SECONDS
        return max(1, math.ceil(min(in_time, self.claim // _PAGES)))
