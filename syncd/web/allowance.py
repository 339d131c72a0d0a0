"""How often something may be asked for: so many a minute, with a small burst."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from syncd.clock import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class _Level:
    left: float
    at: float


class Allowance:
    """Token buckets by key, each `burst` deep and refilled with `per_minute`.

    Memory is bounded: beyond `keys` the one that was longest not asked for is forgotten, which
    can only ever allow more.
    """

    def __init__(
        self, clock: Clock, *, per_minute: float = 1, burst: int = 3, keys: int = 10_000
    ) -> None:
        self._clock = clock
        self._per_second = per_minute / 60
        self._burst = burst
        self._keys = keys
        self._levels: OrderedDict[str, _Level] = OrderedDict()

    def take(self, key: str) -> float:
        """Use one up and return 0, or use nothing and return the seconds until one is there."""
        left = self._left(key)
        if left < 1:
            return (1 - left) / self._per_second
        self._set(key, left - 1)
        return 0

    def give_back(self, key: str) -> None:
        """Undo a `take` for a call that came to nothing."""
        self._set(key, min(self._burst, self._left(key) + 1))

    def _left(self, key: str) -> float:
        level = self._levels.get(key)
        if level is None:
            return self._burst
        refilled = (self._clock.monotonic() - level.at) * self._per_second
        return min(self._burst, level.left + refilled)

    def _set(self, key: str, left: float) -> None:
        self._levels[key] = _Level(left=left, at=self._clock.monotonic())
        self._levels.move_to_end(key)
        if len(self._levels) > self._keys:
            self._levels.popitem(last=False)
