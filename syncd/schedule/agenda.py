"""What is next: one heap of instants, one timer."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Iterator, Sequence
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

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
    RESUME = "resume"
    """A pause may have ended."""
    AGAIN = "again"
    """PostgreSQL did not answer."""


class Entry(NamedTuple):
    """At `at`, wake jobs: many only for fires. A retry of a whole run names it."""

    at: datetime
    jobs: Sequence[str]
    wake: Wake
    origin: Run | None = None

    @property
    def job(self) -> str:
        """Name the job, or the first of many."""
        return self.jobs[0]


class Agenda:
    """Keeps entries in order and sleeps until the first is due.

    Thousands of jobs that share an instant are one place in the heap, and mostly one entry.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._instants: list[datetime] = []
        self._entries: dict[datetime, list[Entry]] = {}
        self._woken = asyncio.Event()

    def add(self, at: datetime, job: str, wake: Wake, origin: Run | None = None) -> None:
        """Note that a job is to be woken at `at`."""
        self._at(at).append(Entry(at, (job,), wake, origin))

    def add_fires(self, at: datetime, jobs: Sequence[str]) -> None:
        """Note that fires of jobs are due at `at`."""
        self._at(at).append(Entry(at, jobs, Wake.FIRE))

    def _at(self, at: datetime) -> list[Entry]:
        entries = self._entries.get(at)
        if entries is None:
            entries = self._entries[at] = []
            heapq.heappush(self._instants, at)
        return entries

    def clear(self) -> None:
        """Forget everything."""
        self._instants.clear()
        self._entries.clear()

    def in_order(self) -> Iterator[Entry]:
        """Yield what is to come, the first first."""
        for at in sorted(self._instants):
            yield from self._entries[at]

    def wake(self) -> None:
        """End the present sleep: something changed."""
        self._woken.set()

    def take_due(self) -> Sequence[Entry]:
        """Take what is due by now, the oldest first; ties go by age."""
        now = self._clock.now()
        due: list[Entry] = []
        while self._instants and self._instants[0] <= now:
            due += self._entries.pop(heapq.heappop(self._instants))
        return due

    async def sleep(self, not_before: datetime | None = None) -> float:
        """Sleep until the next entry is due; a minute at most, because wall clocks jump.

        Return how many seconds longer than meant it took.
        """
        wait = _LONGEST_SLEEP_SECONDS
        if self._instants:
            at = max(self._instants[0], not_before or self._instants[0])
            left = (at - self._clock.now()).total_seconds()
            wait = min(wait, max(0.0, left))
        begun = self._clock.monotonic()
        async with asyncio.TaskGroup() as group:
            sleeper = group.create_task(self._clock.sleep(wait))
            sleeper.add_done_callback(lambda _: self._woken.set())
            await self._woken.wait()
            sleeper.cancel()
        self._woken.clear()
        return max(0.0, self._clock.monotonic() - begun - wait)
