"""Which board to walk through next, and how many of each board were seen."""

from __future__ import annotations

from collections.abc import Sequence


class Tally:
    """Counts a reading of some boards, walk by walk."""

    def __init__(self, boards: int) -> None:
        self._seen = [0] * boards
        """By the walk that goes on."""
        self._most = [0] * boards
        """By one walk, so far."""
        self._left = set(range(boards))

    def next_walk(self, sizes: Sequence[int]) -> int | None:
        """Return the largest board that no walk has shown all of; None when there is none.

        Args:
            sizes: how many members the boards have now.
        """
        self._left = {
            board for board in self._left if sizes[board] and self._seen[board] != sizes[board]
        }
        self._seen = [0] * len(self._seen)
        walk = max(self._left, key=sizes.__getitem__, default=None)
        if walk is not None:
            self._left.remove(walk)
        return walk

    def add(self, members: Sequence[int]) -> tuple[int, ...]:
        """Count a page; return by how much the most that one walk saw of each board grew."""
        before = self._most
        self._seen = [seen + more for seen, more in zip(self._seen, members, strict=True)]
        self._most = list(map(max, before, self._seen))
        return tuple(now - then for now, then in zip(self._most, before, strict=True))
