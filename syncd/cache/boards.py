"""Read the boards of a platform: their state, their users page by page, and who changed."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import KW_ONLY, dataclass, field, replace
from datetime import datetime
from typing import Self

from syncd.cache import dirty, facts
from syncd.cache.details import Details
from syncd.cache.lines import PageForm
from syncd.cache.raw import RawConnection, Words
from syncd.cache.scan import Batch, Scan
from syncd.cache.tally import Tally
from syncd.clock import Clock
from syncd.model.address import RedisAddress
from syncd.model.leaderboard import Board, Page, SourceFacts

# Redis answers nobody else while it looks for so many on every board.
_TOGETHER = 500


@dataclass(eq=False)
class BoardReader:
    """Some boards on one server; use as an async context manager. Entering connects.

    Everything raises CacheUnavailable where Redis is down, breaks off or does not answer in time
    (CacheLoading while it still reads its data from disk), and SourceUnfit where it refuses a
    command or holds something else than boards. Nothing is tried again in here.

    Args:
        details: prefix of the keys with details of a user; empty: there are none.
        details_field: where these name the instant of the user's last change.
        page: how many users are asked for at once.
        pause: seconds between two pages.
        id_length: how many characters an id may have.
    """

    address: RedisAddress
    boards: Sequence[Board]
    _: KW_ONLY
    details: str
    details_field: str
    page: int
    pause: float
    id_length: int
    clock: Clock
    timeout_seconds: float = 10.0
    _line: RawConnection = field(init=False)
    _keys: list[str] = field(init=False)
    _page_form: PageForm = field(init=False)

    def __post_init__(self) -> None:
        self._line = self._connection()
        self._keys = [board.key for board in self.boards]
        self._page_form = PageForm([board.name for board in self.boards], self.id_length)

    async def __aenter__(self) -> Self:
        await self._line.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._line.drop()

    async def examine(self) -> SourceFacts:
        """Return what the server says of itself and of the boards."""
        return await facts.examine(self._line, self.address, self.boards, self.clock.now())

    async def pages(self) -> AsyncGenerator[Page, None]:
        """Yield everybody who is on a board, at least once; close the generator if it is left.

        Whoever is on one from beginning to end is among them, whatever is written meanwhile. The
        largest board is walked through and the others are asked for its users; a board of which
        this did not show all is walked through as well, so that a user may come on several pages.

        Summed over all pages, `members` is the most that one walk saw of each board. It is too
        large, never too small, where Redis gave a member twice; who must know exactly counts the
        scores of the staged users.
        """
        async with AsyncExitStack() as life:
            line = self._line
            *sizes, keys = await line.ask_all(*self._sizes, ("DBSIZE",))
            is_alone = keys == sum(map(bool, sizes))
            details = None if is_alone else await self._details(life)
            tally = Tally(len(sizes))
            while (board := tally.next_walk(sizes)) is not None:
                async with aclosing(self._walk(board).batches(line)) as batches:
                    async for batch in batches:
                        page = await self._form(batch, board, details)
                        yield replace(page, members=tally.add(page.members))
                        await self.clock.sleep(self.pause)
                sizes = await line.ask_all(*self._sizes)

    async def absent(self, users: Sequence[str]) -> set[str]:
        """Return those who are on no board now; of an emptied server, that is everybody."""
        gone: set[str] = set()
        for begin in range(0, len(users), _TOGETHER):
            some = users[begin : begin + _TOGETHER]
            # At one moment: who moves to a board that was asked is on the one that is asked next.
            questions: list[Words] = [("ZMSCORE", key, *some) for key in self._keys]
            columns = await self._line.ask_together(*questions)
            rows = zip(some, *columns, strict=True)
            gone.update(user for user, *scores in rows if not any(scores))
        return gone

    async def claim_dirty(self, key: str, claim: str) -> bool:
        """Take the set of changed users away under another name; tell whether there is a claim.

        A claim that an earlier run left goes first: nothing is renamed then, and the set waits for
        the next claim. Users who change from now on are in a new set.
        """
        return await dirty.claim(self._line, self.address, key, claim)

    async def claimed(self, claim: str) -> AsyncGenerator[Page, None]:
        """Yield those of a claim who are on a board, with `members` of each page."""
        async with AsyncExitStack() as life:
            await self._line.clear()
            details = await self._details(life)
            scan = Scan(command="SSCAN", key=claim, others=self._keys, page=self.page)
            async with aclosing(scan.batches(self._line)) as batches:
                async for batch in batches:
                    present = dirty.on_a_board(batch)
                    if present.users:
                        yield await self._form(present, None, details)
                    await self.clock.sleep(self.pause)

    async def drop(self, claim: str) -> None:
        """Forget a claim whose users are all stored."""
        await self._line.ask("UNLINK", claim)

    async def restore(
        self,
        lines: Sequence[tuple[str, Sequence[float | None]]],
        skip: frozenset[str],
        *,
        is_dry: bool = False,
    ) -> int:
        """Put scores back where Redis has none or a smaller one; return how many that were.

        Who wrote to an emptied board began at nothing again: the greater score is the true one.
        Scores of 0 and boards named in `skip` are left out. Safe to repeat. A dry one counts what
        would be put back.
        """
        added = 0
        for number, board in enumerate(self.boards):
            scores = {user: score for user, row in lines if (score := row[number] or 0) > 0}
            if not scores or board.name in skip:
                continue
            if is_dry:
                there = await self._line.ask("ZMSCORE", board.key, *scores)
                pairs_there = zip(scores.values(), there, strict=True)
                added += sum(has is None or float(has) < score for score, has in pairs_there)
            else:
                pairs = (word for user, score in scores.items() for word in (repr(score), user))
                added += await self._line.ask("ZADD", board.key, "GT", "CH", *pairs)
        return added

    async def expire(self, board: str, at: datetime) -> None:
        """Let a board expire; an instant that has passed changes nothing."""
        if at > self.clock.now():
            key = next(each.key for each in self.boards if each.name == board)
            await self._line.ask("PEXPIREAT", key, int(at.timestamp() * 1000))

    def _connection(self) -> RawConnection:
        return RawConnection(self.address, timeout_seconds=self.timeout_seconds)

    @property
    def _sizes(self) -> list[Words]:
        return [("ZCARD", key) for key in self._keys]

    def _walk(self, board: int) -> Scan:
        others = [key for number, key in enumerate(self._keys) if number != board]
        return Scan(command="ZSCAN", key=self._keys[board], others=others, page=self.page)

    async def _details(self, life: AsyncExitStack) -> Details | None:
        """Return the details, on a connection of their own; None where none are kept."""
        if not self.details:
            return None
        line = await life.enter_async_context(self._connection())
        return Details(line, self.details, self.details_field)

    async def _form(self, batch: Batch, board: int | None, details: Details | None) -> Page:
        columns = list(batch.others)
        if board is not None:
            columns.insert(board, batch.own)
        if details is None:
            return self._page_form.fill(batch.users, columns)
        unreadable = details.unreadable
        page = self._page_form.fill(batch.users, columns, await details.told(batch.users))
        return replace(page, unreadable=details.unreadable - unreadable)
