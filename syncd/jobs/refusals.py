"""How refreshes went of late: whether single users are refused, or everybody is."""

from __future__ import annotations

from collections import deque

from syncd.clock import Clock

WINDOW_SECONDS = 600.0
MANY = 10
"""Of so many a share can be told."""
_UNREST = 0.2
_STORM = 0.5


class Refusals:
    """Counts the refreshes of one platform over the last ten minutes.

    It is a storm where more than half of ten or more were refused, or, of fewer, everybody there
    is: then it is rather the platform that fails than so many users who took their consent back.
    More than a fifth is unrest: the others are answered well, and nobody is believed soon.

    Args:
        clock: where time comes from.
        most_lost: so many refusals are left out of which we know a reason, as many as a process can
            cause that is killed; an outage that began with lost answers has reasons for more.
    """

    def __init__(self, clock: Clock, most_lost: int = 0) -> None:
        self._clock = clock
        self._most_lost = most_lost
        self._noted: deque[tuple[float, bool, bool]] = deque()

    def note(self, *, is_refused: bool, is_explained: bool = False) -> None:
        """Count one; `is_explained`: the answer to an earlier refresh may have been lost."""
        self._noted.append((self._clock.monotonic(), is_refused, is_explained))

    def counts(self) -> tuple[int, int]:
        """Return how many were refused, of how many."""
        oldest = self._clock.monotonic() - WINDOW_SECONDS
        while self._noted and self._noted[0][0] < oldest:
            self._noted.popleft()
        refused = sum(is_refused for _, is_refused, _ in self._noted)
        left_out = min(sum(is_explained for _, _, is_explained in self._noted), self._most_lost)
        return refused - left_out, len(self._noted) - left_out

    def is_storm(self, grants: int) -> bool:
        """Tell whether so many of these grants were refused that it says nothing about one user."""
        refused, told = self.counts()
        if told >= MANY:
            return refused > _STORM * told
        return told > 1 and refused == told and len(self._noted) >= grants

    @property
    def is_unrest(self) -> bool:
        """Whether so many were refused that a second refusal soon says little."""
        refused, told = self.counts()
        return told >= MANY and refused > _UNREST * told
