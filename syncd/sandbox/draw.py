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
