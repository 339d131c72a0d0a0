"""Who wants to be left alone for a while: a push service, one webhook, one template."""

from __future__ import annotations

from datetime import timedelta

from syncd.clock import Clock

_MOST = 10_000


class Rests:
    """Remembers, by name, until when nothing is asked; kept in memory only.

    Args:
        clock: its monotonic side is used.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ends: dict[str, float] = {}

    def begin(self, name: str, length: timedelta) -> None:
        """Let `name` rest; a rest that ends later stays."""
        if len(self._ends) >= _MOST:
            now = self._clock.monotonic()
            self._ends = {name: end for name, end in self._ends.items() if end > now}
        end = self._clock.monotonic() + length.total_seconds()
        self._ends[name] = max(end, self._ends.get(name, end))

    def left(self, name: str) -> timedelta | None:
        """Return how long `name` rests still, None where it does not."""
        seconds = self._ends.get(name, 0.0) - self._clock.monotonic()
        if seconds > 0:
            return timedelta(seconds=seconds)
        self._ends.pop(name, None)
        return None
