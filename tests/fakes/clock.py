"""Virtual time: a clock that stands still until a test moves it."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

T = TypeVar("T")

START = datetime(2026, 1, 1, tzinfo=UTC)
REAL_DEADLINE_SECONDS = 10.0


class FakeClock:
    """A `syncd.clock.Clock` whose time moves only by `advance`, `run` or `jump_wall`.

    - `await clock.advance(5)` moves 5 seconds, waking sleepers in order, each at its own time.
    - `await clock.run(work())` returns what `work` returns; whenever everything rests, time jumps
      to the next sleeper. Nothing sleeps for real.
    - `clock.jump_wall(delta)` sets the wall clock, as NTP or a person would; sleepers notice not.
    """

    def __init__(self, start: datetime = START) -> None:
        self._start = start
        self._elapsed = 0.0
        self._suspended = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = itertools.count()

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._elapsed)

    def monotonic(self) -> float:
        return self._elapsed

    def boottime(self) -> float:
        return self._elapsed + self._suspended

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        waking: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._elapsed + seconds, next(self._order), waking))
        await waking

    @property
    def next_wake(self) -> float | None:
        """In how many seconds the first sleeper wakes; None when nobody sleeps."""
        while self._sleepers and self._sleepers[0][2].done():
            heapq.heappop(self._sleepers)
        return self._sleepers[0][0] - self._elapsed if self._sleepers else None

    async def settle(self) -> None:
        """Let every task run until it waits for time or for the outside."""
        await asyncio.sleep(0)
        # The loop has no public way to tell that nothing is ready to run.
        while asyncio.get_running_loop()._ready:  # noqa: ASYNC110
            await asyncio.sleep(0)

    async def advance(self, seconds: float) -> None:
        """Move time forward; everything that falls due on the way happens on the way."""
        target = self._elapsed + seconds
        await self.settle()
        while self.next_wake is not None and self._sleepers[0][0] <= target:
            await self._wake_next()
        self._elapsed = target
        await self.settle()

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run `work` to its end, jumping to the next sleeper whenever everything rests.

        Fails when nobody sleeps and nothing happens for ten real seconds.
        """
        task = asyncio.ensure_future(work)
        try:
            last_sign_of_life = time.monotonic()
            await self.settle()
            while not task.done():
                if self.next_wake is not None:
                    await self._wake_next()
                    last_sign_of_life = time.monotonic()
                else:
                    assert time.monotonic() < last_sign_of_life + REAL_DEADLINE_SECONDS, "stuck"
                    await asyncio.wait([task], timeout=0.001)
                await self.settle()
            return await task
        finally:
            task.cancel()

    def jump_wall(self, delta: timedelta) -> None:
        """Change the wall clock only."""
        self._start += delta

    def suspend(self, seconds: float) -> None:
        """Let the machine sleep: the wall clock goes on, the monotonic one stands still."""
        self._suspended += seconds
        self.jump_wall(timedelta(seconds=seconds))

    async def _wake_next(self) -> None:
        wake_at, _, waking = heapq.heappop(self._sleepers)
        self._elapsed = max(self._elapsed, wake_at)
        waking.set_result(None)
        await self.settle()
