"""Choices that look random and are a function of where they are made: no state, any order."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import TypeVar

T = TypeVar("T")


class Draw:
    """A row of choices that depends on `place` alone; 512 bits, some thirty choices long.

    Args:
        place: whatever names the row (a seed, an index, a purpose); its text decides.
    """

    __slots__ = ("_bits",)

    def __init__(self, *place: object) -> None:
        self._bits = int.from_bytes(blake2b(repr(place).encode()).digest())

    def below(self, bound: int) -> int:
        """Choose from 0 up to, not including, `bound`."""
        self._bits, choice = divmod(self._bits, bound)
        return choice

    def happens(self, share: float) -> bool:
        """Choose yes in `share` (0 to 1) of all places."""
        return self.below(65536) < share * 65536

    def pick(self, choices: Sequence[T]) -> T:
        """Choose one of `choices`, all equally likely."""
        return choices[self.below(len(choices))]


def choose_some(size: int, share: float, *place: object) -> list[int]:
    """Choose `share` (0 to 1) of the numbers below `size`; return them in order."""
    chosen: set[int] = set()
    wanted, tries = round(size * min(1.0, share)), 0
    while len(chosen) < wanted:
        chosen.add(Draw(*place, tries).below(size))
        tries += 1
    return sorted(chosen)
