"""Walk through a sorted set or a set, page by page, and ask for more about each page's users.

Redis is the slower side: it always has the next page to find while a page is being formatted.
A member that is there from the beginning of a scan to its end is found by it, whatever others
write meanwhile; it may be found twice, and pages may be empty before the last.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field

from syncd.cache.raw import RawConnection, Words
from syncd.cache.scores import receive_scores, send_scores

BEGIN = b"0"
"""The cursor of the first page, and of the one after the last."""


@dataclass(slots=True, kw_only=True)
class Batch:
    """The users of a page; `own` are their scores on the board that was walked through.

    `others` are those on the boards that were asked for besides, in their order.
    """

    users: Sequence[bytes]
    own: Sequence[bytes]
    others: list[Sequence[bytes | None]] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """What to walk through: a board with ZSCAN, the set of changed users with SSCAN.

    `others` are the keys of boards whose scores are asked for; `page` is COUNT.
    """

    command: str
    key: str
    others: Sequence[str]
    page: int

    async def batches(self, line: RawConnection) -> AsyncGenerator[Batch]:
        """Yield the pages that have users; the line is busy until the last."""
        await line.send(self._next(BEGIN))
        waiting: Batch | None = None
        cursor = b""
        while cursor != BEGIN:
            cursor, found = await line.receive()
            batch = self._batch(found)
            # First the page after this one: Redis looks for it while this one is taken apart.
            if cursor != BEGIN:
                await line.send(self._next(cursor))
            if batch.users and self.others:
                await send_scores(line, self.others, batch.users)
            if waiting is not None:
                yield await self._complete(line, waiting)
            # ZMSCORE of nobody is an error.
            waiting = batch if batch.users else None
        if waiting is not None:
            yield await self._complete(line, waiting)

    async def _complete(self, line: RawConnection, batch: Batch) -> Batch:
        count = len(batch.users)
        batch.others = [await receive_scores(line, count) for _ in self.others]
        return batch

    def _batch(self, found: Sequence[bytes]) -> Batch:
        if self.command == "ZSCAN":
            return Batch(users=found[::2], own=found[1::2])
        return Batch(users=found, own=())

    def _next(self, cursor: bytes) -> Words:
        return (self.command, self.key, cursor, "COUNT", self.page)
