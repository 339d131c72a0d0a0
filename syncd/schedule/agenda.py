"""What is next: one heap, one timer."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from syncd.clock import Clock
from syncd.model.run import Run

_LONGEST_SLEEP_SECONDS = 60.0


class Wake(StrEnum):
    """What a job is woken for."""

    FIRE = "fire"
    """A fire time is due."""
    RETRY = "retry"
    """What its last run left undone, or all of it, is tried again."""
    START = "start"
    """It runs when syncd starts."""
    TURN = "turn"
    """A run that was held back may begin."""
    AGAIN = "again"
    """PostgreSQL did not answer."""


@dataclass(frozen=True, slots=True)
class Entry:
    """At `at`, wake a job. A retry of a whole run names it."""

    at: datetime
    job: str
    wake: Wake
    origin: Run | None = None


class Agenda:
    """Keeps entries in order and sleeps until the first is due."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        # Ties go by age, and entries are never compared.
        self._heap: list[tuple[datetime, int, Entry]] = []
        self._ages = itertools.count()
        self._woken = asyncio.Event()

    def add(self, at: datetime, job: str, wake: Wake, origin: Run | None = None) -> None:
        """Note that a job is to be woken at `at`."""
        heapq.heappush(self._heap, (at, next(self._ages), Entry(at, job, wake, origin)))

    def clear(self) -> None:
        """Forget everything."""
        self._heap.clear()

    def first(self, job: str, wake: Wake) -> datetime | None:
        """Return when a job is woken next for this; None when it is not."""
        wanted = (job, wake)
        found = (at for at, _, entry in self._heap if (entry.job, entry.wake) == wanted)
        return min(found, default=None)

    def wake(self) -> None:
        """End the present sleep: something changed."""
        self._woken.set()

    def take_due(self) -> Iterator[Entry]:
        """Take what is due by now, the oldest first."""
        now = self._clock.now()
        while self._heap and self._heap[0][0] <= now:
            yield heapq.heappop(self._heap)[2]

    async def sleep(self) -> float:
        """Sleep until the next entry is due; a minute at most, because wall clocks jump.

        Return how many seconds longer than meant it took.
        """
        wait = _LONGEST_SLEEP_SECONDS
        if self._heap:
            left = (self._heap[0][0] - self._clock.now()).total_seconds()
            wait = min(wait, max(0.0, left))
        begun = self._clock.monotonic()
        async with asyncio.TaskGroup() as group:
            sleeper = group.create_task(self._clock.sleep(wait))
            sleeper.add_done_callback(lambda _: self._woken.set())
            await self._woken.wait()
            sleeper.cancel()
        self._woken.clear()
        return max(0.0, self._clock.monotonic() - begun - wait)
