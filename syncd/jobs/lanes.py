"""So many accounts asked for side by side, whichever page they are of."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import cast

from syncd.model.item import Claim, Item

Ask = Callable[[Claim], Awaitable[Item | None]]
AskTogether = Callable[[Sequence[Claim]], Awaitable[Sequence[Item | None]]]


class _Page:
    """Claims that are committed together, and what has come of them."""

    def __init__(self, claims: Sequence[Claim]) -> None:
        self.items: list[Item | None] = [None] * len(claims)
        self.is_done = asyncio.Event()
        self._left = len(claims)

    def end_one(self) -> None:
        self._left -= 1
        if not self._left:
            self.is_done.set()


class Lanes:
    """Works through claims in the order they came, so many at a time.

    A lane is a task that takes one claim after the other and ends when none is left: a task for
    each account, and a semaphore before them, would cost as much as the parsing of its answer.

    Where one question may be about several claims, a lane takes as many as there are, of whichever
    page they are.

    Args:
        width: how many lanes there are at most.
        ask: does the work for one claim; it raises nothing.
        ask_together: does it for several.
        batch: how many claims a lane takes at most.
    """

    def __init__(
        self, width: int, ask: Ask, ask_together: AskTogether | None = None, batch: int = 1
    ) -> None:
        self._width = width
        self._ask = ask
        self._ask_together = ask_together
        self._batch = batch
        self._queue: deque[tuple[_Page, int, Claim]] = deque()
        self._lanes: set[asyncio.Task[None]] = set()

    async def work_through(
        self, group: asyncio.TaskGroup, claims: Sequence[Claim]
    ) -> Sequence[Item | None]:
        """Return what came of each claim, in their order; None where it was not asked.

        Args:
            group: where lanes live; it must outlive them.
            claims: what to ask for, at least one.
        """
        page = _Page(claims)
        self._queue.extend((page, place, claim) for place, claim in enumerate(claims))
        turns = math.ceil(len(claims) / self._batch)
        for _ in range(min(self._width - len(self._lanes), turns)):
            self._lanes.add(group.create_task(self._lane()))
        await page.is_done.wait()
        return page.items

    def cancel(self) -> None:
        """Break off what is under way and ask for nothing more."""
        for lane in self._lanes:
            lane.cancel()
        self._lanes.clear()
        while self._queue:
            self._queue.popleft()[0].end_one()

    async def _lane(self) -> None:
        try:
            while self._queue:
                if self._ask_together is not None:
                    await self._take_several(self._ask_together)
                    continue
                page, place, claim = self._queue.popleft()
                try:
                    page.items[place] = await self._ask(claim)
                finally:
                    page.end_one()
        finally:
            # In the same step in which it saw an empty queue: who fills it next counts lanes.
            self._lanes.discard(cast("asyncio.Task[None]", asyncio.current_task()))

    async def _take_several(self, ask_together: AskTogether) -> None:
        taken = [self._queue.popleft() for _ in range(min(self._batch, len(self._queue)))]
        try:
            items = await ask_together([claim for _, _, claim in taken])
            for (page, place, _), item in zip(taken, items, strict=True):
                page.items[place] = item
        finally:
            for page, _, _ in taken:
                page.end_one()
