"""What one caller's requests cost, told apart from everybody else's on the same gate.

A context variable carries the meter: whoever runs requests for a purpose of its own sets one, and
the gate counts into it besides its own totals.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class Charge(StrEnum):
    """What a request cost the platform's quota."""

    SPENT = "spent"
    SAVED = "saved"
    UNSENT = "unsent"


class Reading(NamedTuple):
    """Requests that left, those of them that cost no quota, and how long they took together."""

    calls: int
    saved: int
    seconds: float


@dataclass(slots=True)
class Meter:
    """Counts requests since the last `take`."""

    calls: int = 0
    saved: int = 0
    seconds: float = 0.0

    def count(self, charge: Charge, seconds: float) -> None:
        """Count a request that left, and how long it was under way."""
        self.calls += 1
        self.saved += charge is Charge.SAVED
        self.seconds += seconds

    def take(self) -> Reading:
        """Return what was counted and begin anew."""
        counted = Reading(self.calls, self.saved, self.seconds)
        self.calls = self.saved = 0
        self.seconds = 0.0
        return counted

    def put_back(self, counted: Reading) -> None:
        """Count again what was taken and could not be stored."""
        self.calls += counted.calls
        self.saved += counted.saved
        self.seconds += counted.seconds


current_meter: ContextVar[Meter | None] = ContextVar("current_meter", default=None)
"""The meter of the running task, None where nobody counts."""
