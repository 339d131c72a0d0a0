"""What is next: one heap, one timer."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from syncd.clock import Clock

_LONGEST_SLEEP_SECONDS = 60.0


class Wake(StrEnum):
    """What to do about a job: fire it, try again what its last run left undone, run it at start."""

    FIRE = "fire"
    RETRY = "retry"
    START = "start"


@dataclass(frozen=True, slots=True, order=True)
class Entry:
    """At `at`, wake a job; ties go by age. `fire_time` is what the schedule named."""

    at: datetime
    age: int
    job: str = field(compare=False)
    wake: Wake = field(compare=False)
    fire_time: datetime = field(compare=False)


class Agenda:
    """Keeps entries in order and sleeps until the first is due."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._heap: list[Entry] = []
        self._ages = itertools.count()
        self._woken = asyncio.Event()

    def add(self, at: datetime, job: str, wake: Wake, fire_time: datetime) -> None:
        """Note that a job is to be woken at `at`."""
        heapq.heappush(self._heap, Entry(at, next(self._ages), job, wake, fire_time))

    def clear(self) -> None:
        """Forget everything."""
        self._heap.clear()

    def first(self, job: str, wake: Wake) -> datetime | None:
        """Return when a job is woken next for this; None when it is not."""
        wanted = (job, wake)
        return min(
            (entry.at for entry in self._heap if (entry.job, entry.wake) == wanted), default=None
        )

    def wake(self) -> None:
        """End the present sleep: something changed."""
        self._woken.set()

    def take_due(self) -> Iterator[Entry]:
        """Take what is due by now, the oldest first."""
        now = self._clock.now()
        while self._heap and self._heap[0].at <= now:
            yield heapq.heappop(self._heap)

    async def sleep(self) -> None:
        """Sleep until the next entry is due; a minute at most, because wall clocks jump."""
        wait = _LONGEST_SLEEP_SECONDS
        if self._heap:
            left = (self._heap[0].at - self._clock.now()).total_seconds()
            wait = min(wait, max(0.0, left))
        async with asyncio.TaskGroup() as group:
            sleeper = group.create_task(self._clock.sleep(wait))
            sleeper.add_done_callback(lambda _: self._woken.set())
            await self._woken.wait()
            sleeper.cancel()
        self._woken.clear()
