"""Which accounts some run has taken on and not let go of: two never ask for one at a time."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet

from syncd.model.account import AccountId


class InFlight:
    """The accounts of one job kind between being taken on and being released, over all runs.

    What the store tells of an account is as old as the question. Who asks it `watches`, and learns
    who was in flight at any moment since: they may be stored and released by then, and stand in
    the answer as they were before.
    """

    def __init__(self) -> None:
        self._held: set[AccountId] = set()
        self._watches: list[set[AccountId]] = []

    def __len__(self) -> int:
        """Count them."""
        return len(self._held)

    def __contains__(self, account: object) -> bool:
        """Tell whether an account is among them."""
        return account in self._held

    @contextlib.contextmanager
    def watched(self) -> Iterator[AbstractSet[AccountId]]:
        """Collect who is in flight now, and whoever comes as long as the context lasts."""
        seen = set(self._held)
        self._watches.append(seen)
        try:
            yield seen
        finally:
            self._watches[:] = [each for each in self._watches if each is not seen]

    def take(self, accounts: Iterable[AccountId]) -> None:
        """Hold accounts."""
        taken = tuple(accounts)
        for each in (self._held, *self._watches):
            each.update(taken)

    def release(self, accounts: Iterable[AccountId]) -> None:
        """Let others take them on."""
        self._held.difference_update(accounts)
