"""Time, injected: nobody asks the system for the time but `SystemClock`.

Instants (`now`) are aware and UTC and may jump; durations come from `monotonic`, which never does.
"""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Protocol

Instant = datetime
"""An aware UTC datetime."""


class Clock(Protocol):
    """What a part of syncd may ask about time."""

    def now(self) -> Instant:
        """Return the wall-clock time, aware and in UTC."""

    def monotonic(self) -> float:
        """Return seconds since some fixed point; never goes back, stands still in a suspend."""

    def boottime(self) -> float:
        """Return seconds since some fixed point; goes on while the machine is suspended."""

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds` of monotonic time; at once when not positive."""


class SystemClock:
    """The real time."""

    def now(self) -> Instant:
        """Return the wall-clock time, aware and in UTC."""
        return datetime.now(UTC)

    monotonic = staticmethod(time.monotonic)
    """Return seconds of the system's monotonic clock."""

    def boottime(self) -> float:
        """Return seconds of the clock that counts a suspend; the monotonic one elsewhere."""
        # Linux has it, under a name that other systems' Python does not know.
        number = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
        return time.clock_gettime(number)

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds`; a negative wait still lets others run once."""
        await asyncio.sleep(max(0.0, seconds))
