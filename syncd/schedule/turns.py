"""Long work in steps, so that everything else on the loop gets its turn."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from typing import TypeVar

T = TypeVar("T")

_LONGEST_SECONDS = 0.005


class Turns:
    """Gives others their turn when some milliseconds have passed since they had one."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._begun = self._loop.time()

    async def give(self) -> None:
        """Let others go first, if this took long enough."""
        if self._loop.time() - self._begun > _LONGEST_SECONDS:
            await asyncio.sleep(0)
            self._begun = self._loop.time()


async def in_turns(steps: Generator[None, None, T]) -> T:
    """Return what a generator returns; others get their turn wherever it pauses."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result
        await asyncio.sleep(0)
