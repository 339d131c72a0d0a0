"""What one caller's requests cost, told apart from everybody else's on the same gate.

A context variable carries the meter: whoever runs requests for a purpose of its own sets one, and
the gate counts into it besides its own totals.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum


class Charge(StrEnum):
    """What a request cost the platform's quota."""

    SPENT = "spent"
    SAVED = "saved"
    UNSENT = "unsent"


@dataclass(slots=True)
class Meter:
    """Requests that left, and of those the ones that cost no quota, since the last `take`."""

    calls: int = 0
    saved: int = 0

    def count(self, charge: Charge) -> None:
        """Count a request that left."""
        self.calls += 1
        self.saved += charge is Charge.SAVED

    def take(self) -> tuple[int, int]:
        """Return what was counted and begin anew."""
        counted = (self.calls, self.saved)
        self.calls = self.saved = 0
        return counted

    def put_back(self, counted: tuple[int, int]) -> None:
        """Count again what was taken and could not be stored."""
        self.calls += counted[0]
        self.saved += counted[1]


current_meter: ContextVar[Meter | None] = ContextVar("current_meter", default=None)
"""The meter of the running task, None where nobody counts."""
