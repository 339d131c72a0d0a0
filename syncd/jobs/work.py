"""What one fan-out is about, and how much of it there may be."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from syncd.model.account import Account
from syncd.model.item import Item
from syncd.model.play import Heard
from syncd.model.profile import Fetched, Unchanged
from syncd.platforms.base import Platform
from syncd.store.accounts import Selection
from syncd.store.sync import Committed

_PAGES = 4
_PAGE_SECONDS = 2.0


class Budget:
    """How many items a run may still take on; None means any number.

    Whoever took some either uses them or gives them back: the others wait for that.
    """

    def __init__(self, left: int | None) -> None:
        self.left = left
        self._held = 0
        self._changed = asyncio.Event()

    def most(self, due: int) -> int:
        """Return how many of those that are due there may be."""
        return due if self.left is None else min(due, self.left)

    async def take(self, wanted: int) -> int:
        """Take up to `wanted` and return how many there were; 0: there will be none."""
        if self.left is None:
            return wanted
        while not self.left and self._held:
            self._changed.clear()
            await self._changed.wait()
        taken = min(wanted, self.left)
        self.left -= taken
        self._held += taken
        return taken

    def use(self, count: int) -> None:
        """Note that so many that were taken are used up."""
        self._held -= count
        self._changed.set()

    def give_back(self, count: int) -> None:
        """Return what was taken and not used."""
        if self.left is not None:
            self.left += count
        self.use(count)


class Asker(Protocol):
    """Asks a platform for accounts in a way of its own."""

    async def prepare(self, accounts: Sequence[Account]) -> None:
        """Read, set-wise, what is needed to ask for a page of accounts."""

    async def ask(self, account: Account) -> Fetched | Unchanged | Heard:
        """Ask for one account of a page that was prepared; raises what `Platform.fetch` raises."""

    def tell(self, items: Sequence[Item], committed: Committed) -> None:
        """Tell what became of accounts, now that it is stored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What a fan-out is about: which accounts of which platform, how many at a time.

    `claim` is how many a person wants to be under way at most, `most` how many there are.
    `attempts` is how often the run tries one account that fails for a passing reason; `sweeps`
    whether the platform may be asked about many at once. `asker` None: the platform is asked.
    """

    platform: Platform
    selection: Selection
    claim: int
    attempts: int
    budget: Budget
    sweeps: bool = False
    asker: Asker | None = None

    @property
    def most(self) -> int:
        """Return how many accounts may be under way: what one question may be about, at least."""
        return max(self.claim, self.platform.batch_size)

    @property
    def haul(self) -> int:
        """Return how many accounts are claimed at once: a page, or what one sweep can tell of."""
        if not self.sweeps:
            return self.page
        return min(max(self.platform.sweep_size, self.page), self.most)

    @property
    def page(self) -> int:
        """Return how many accounts a page holds: some seconds of work, in whole questions."""
        batch = self.platform.batch_size
        in_time = self.platform.limits.rate * batch * _PAGE_SECONDS
        wanted = math.ceil(min(in_time, self.claim // _PAGES))
        return batch * max(1, wanted // batch)
