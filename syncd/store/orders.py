"""Orders about users that are given while a mirror run works with what it read before them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet

from syncd.errors import RunError

# Some 15 MB; without an end a run that hangs would gather keys for ever.
_MOST = 100_000


class Notes:
    """The keys that orders were about since a run began; in memory, of this process alone."""

    def __init__(self) -> None:
        self._keys: set[str] = set()
        self._is_full = False

    def add(self, keys: Iterable[str]) -> None:
        """Note these keys, as long as there is room."""
        for key in keys:
            if len(self._keys) >= _MOST and key not in self._keys:
                self._is_full = True
                return
            self._keys.add(key)

    def among(self, keys: Iterable[str]) -> set[str]:
        """Return those of these keys that an order was about; raises as `keys` does."""
        return set(keys) & self.keys

    @property
    def keys(self) -> AbstractSet[str]:
        """Return whom orders were about so far.

        Raises:
            RunError: there were more orders than can be noted.
        """
        if self._is_full:
            raise RunError(
                f"over {_MOST:,} users were put or deleted while [users] query was read; "
                "nothing was changed",
                hint="the next run reads again",
            )
        return self._keys


class Orders:
    """Tells every run that is under way whom an order is about, before the order is stored."""

    def __init__(self) -> None:
        self._notes: list[Notes] = []

    def note(self, keys: Iterable[str]) -> None:
        """Note an order that is about to be stored."""
        for notes in self._notes:
            notes.add(keys)

    @contextlib.contextmanager
    def noted(self) -> Iterator[Notes]:
        """Note what is ordered from now on."""
        notes = Notes()
        self._notes.append(notes)
        try:
            yield notes
        finally:
            self._notes.remove(notes)
