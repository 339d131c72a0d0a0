"""The lines before a gate: first come, first served in each; the more urgent line goes first."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable

from syncd.clock import Clock
from syncd.outbound.urgency import Urgency

# Who waits no longer need not be woken when limits change.
_UNBROKEN_SECONDS = 1.0


class Line:
    """One line: only its head looks whether it may go; the others wait for their turn to look.

    `is_held`: its head waits for something of its own, and stands in nobody's way.
    """

    def __init__(self, urgency: Urgency) -> None:
        self.urgency = urgency
        self.turn = asyncio.Lock()
        self.waiting = 0
        self.is_held = False


class Lines:
    """Every line before one gate.

    Whoever is cancelled while waiting holds nothing and leaves no gap.

    Args:
        clock: by which heads wait.
    """

    def __init__(self, clock: Clock) -> None:
        self.waiting = 0
        self._clock = clock
        self._lines: list[Line] = []
        self._heads: list[Line] = []  # those with a head, in the order in which it became one
        self._stirred = asyncio.Event()
        self._changed = asyncio.Event()

    def open(self, urgency: Urgency) -> Line:
        """Begin another line."""
        line = Line(urgency)
        self._lines.append(line)
        return line

    def is_first(self, line: Line) -> bool:
        """Tell whether it is the turn of this line's head at what all lines share."""
        for other in self._lines:
            # Also between two heads: the next one has not come forward yet.
            if other.urgency < line.urgency and other.waiting and not other.is_held:
                return False
        able = (head for head in self._heads if head.urgency == line.urgency and not head.is_held)
        return next(able, None) is line

    async def stand(self, line: Line, wait_seconds: Callable[[], float]) -> None:
        """Return once `wait_seconds` says 0 to this one as the head; it may act on that at once.

        Args:
            line: where to stand.
            wait_seconds: how long to wait before asking again; infinite: until something stirs.
        """
        line.waiting += 1
        self.waiting += 1
        try:
            async with line.turn:
                await self._lead(line, wait_seconds)
        finally:
            line.waiting -= 1
            self.waiting -= 1
            self.stir()

    def mark(self, line: Line, *, is_held: bool) -> None:
        """Let others pass the head of this line, or no longer."""
        if is_held and not line.is_held:
            self.stir()
        line.is_held = is_held

    def stir(self) -> None:
        """Let the heads that wait for no certain time look again."""
        self._stirred.set()
        self._stirred.clear()

    def look_again(self) -> None:
        """Let every head look again, also who waits for a certain time: limits have changed."""
        self._changed.set()
        self._changed.clear()
        self.stir()

    async def _sleep(self, seconds: float) -> None:
        """Sleep, a long time only as long as limits stay."""
        if seconds <= _UNBROKEN_SECONDS:
            await self._clock.sleep(seconds)
            return
        async with asyncio.TaskGroup() as group:
            sleeper = group.create_task(self._clock.sleep(seconds))
            waiter = group.create_task(self._changed.wait())
            sleeper.add_done_callback(lambda _: waiter.cancel())
            waiter.add_done_callback(lambda _: sleeper.cancel())

    async def _lead(self, line: Line, wait_seconds: Callable[[], float]) -> None:
        self._heads.append(line)
        try:
            while wait := wait_seconds():
                if wait == math.inf:
                    await self._stirred.wait()
                else:
                    await self._sleep(wait)
        finally:
            self._heads.remove(line)
            line.is_held = False
