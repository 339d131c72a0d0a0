"""Pages on their way into COPY: counted, and cut where users were set aside."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from syncd.model.leaderboard import Page, Poisoned

# How long PostgreSQL may take to accept a page, and to end a COPY.
_PAGE_SECONDS = 60.0
# So many wait here until they are set aside; the first ones of all are kept to be shown.
_POISONED_AT_ONCE = 1_000
_POISONED_SHOWN = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Staged:
    """What was read: `rows` of pages, and on each board so many of them.

    A user who was on two pages counts twice; of the `poisoned` the first are listed. `unreadable`
    details say nothing of when a score was told.
    """

    rows: int
    members: tuple[int, ...]
    poisoned: int
    sample: tuple[Poisoned, ...]
    unreadable: int = 0


class Inflow:
    """Hands out the lines of pages; who was set aside is to be taken between two COPYs."""

    def __init__(self, pages: AsyncIterator[Page], boards: int) -> None:
        self._pages = pages
        self._members = [0] * boards
        self._rows = 0
        self._poisoned = 0
        self._unreadable = 0
        self._sample: list[Poisoned] = []
        self._waiting: list[Poisoned] = []
        self.has_ended = False

    async def lines(self, deadline: asyncio.Timeout) -> AsyncIterator[bytes]:
        """Yield lines, a page at a time, until too many wait to be set aside.

        The deadline runs while PostgreSQL has them, not while they are read.
        """
        clock = asyncio.get_running_loop().time
        deadline.reschedule(None)
        async for page in self._pages:
            self._note(page)
            if page.rows:
                deadline.reschedule(clock() + _PAGE_SECONDS)
                yield page.lines
                deadline.reschedule(None)
            if len(self._waiting) >= _POISONED_AT_ONCE:
                break
        else:
            self.has_ended = True
        deadline.reschedule(clock() + _PAGE_SECONDS)

    def take_poisoned(self) -> Sequence[Poisoned]:
        """Return who was to be set aside since the last time."""
        taken, self._waiting = self._waiting, []
        return taken

    def total(self) -> Staged:
        """Return what has come so far."""
        return Staged(
            rows=self._rows,
            members=tuple(self._members),
            poisoned=self._poisoned,
            sample=tuple(self._sample),
            unreadable=self._unreadable,
        )

    def _note(self, page: Page) -> None:
        self._rows += page.rows
        self._members = [
            known + more for known, more in zip(self._members, page.members, strict=True)
        ]
        self._poisoned += len(page.poisoned)
        self._unreadable += page.unreadable
        self._waiting += page.poisoned
        self._sample += page.poisoned[: _POISONED_SHOWN - len(self._sample)]
