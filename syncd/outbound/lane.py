"""The lane in which one credential's big questions leave: one at a time, of a size that is borne.

GitHub asks for serial requests (docs.github.com, best practices for the REST API); what a service
can answer at once depends on whom it is asked about, and changes from hour to hour.
"""

from __future__ import annotations

import asyncio

# From one account back to the whole size in so many good answers.
_STEPS = 20


class Lane:
    """How many accounts one question may hold now: halved on trouble, growing slowly when well.

    Hold `turn` while a question is under way.

    Args:
        largest: the most accounts the platform takes in one question; 0 where it takes none.
    """

    def __init__(self, largest: int) -> None:
        self.size = largest
        self.turn = asyncio.Lock()
        self._largest = largest

    def halve(self, asked: int) -> None:
        """A question about so many accounts was too much."""
        self.size = max(1, min(self.size, asked // 2))

    def grow(self) -> None:
        """A question was answered well."""
        self.size = min(self._largest, self.size + max(1, self._largest // _STEPS))
