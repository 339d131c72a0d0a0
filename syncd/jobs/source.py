"""The boards as a whole: a server that loads is waited for, one that changed meanwhile noticed."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from syncd.cache.boards import BoardReader
from syncd.errors import CacheLoading, CacheUnavailable, SourceUnavailable, SourceUnfit
from syncd.jobs.base import RunContext
from syncd.jobs.boards import LeaderboardOptions
from syncd.jobs.phases import Pages
from syncd.model.leaderboard import SourceFacts

_LOADING_SECONDS = 60.0
_LOOK_EVERY_SECONDS = 1.0
_TRIES = 2
# Writers go on: a board may lose a few members while it is read.
_COMPLETE = 0.999
# So many it does not lose by itself; who was read around that moment seems to have no score.
_VANISHED = 0.5

Scores = tuple[str, Sequence[float]]
"""A user and the scores on each board."""

Stage = Callable[[Pages], Awaitable[tuple[int, ...]]]
"""Takes every page and returns how many members of each board were on them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What was read: `facts` are from before. `gaps` say why it is not complete, empty if it is."""

    facts: SourceFacts
    gaps: tuple[str, ...]


class Source:
    """The boards of one job, for one run."""

    def __init__(
        self, reader: BoardReader, context: RunContext, options: LeaderboardOptions
    ) -> None:
        self._reader = reader
        self._clock = context.around.clock
        self._options = options
        self._claim = f"{options.dirty}:syncd:{context.run.job}"

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, context: RunContext, options: LeaderboardOptions) -> AsyncIterator[Source]:
        """Connect to Redis.

        Raises:
            CacheUnavailable: it is away.
        """
        reader = BoardReader(
            context.around.redis,
            options.all_boards(),
            details=options.details,
            details_field=options.details_field,
            page=options.batch,
            pause=options.pause.total_seconds(),
            id_length=options.id_length,
            clock=context.around.clock,
        )
        async with reader:
            yield cls(reader, context, options)

    async def examine(self) -> SourceFacts:
        """Return what Redis says of itself, once it has loaded its data.

        Raises:
            CacheUnavailable: it is away, or loads for more than a minute.
            SourceUnfit: it must not be read from.
        """
        end = self._clock.monotonic() + _LOADING_SECONDS
        while True:
            try:
                facts = await self._reader.examine()
            except CacheLoading:
                if self._clock.monotonic() >= end:
                    raise
                await self._clock.sleep(_LOOK_EVERY_SECONDS)
                continue
            if facts.is_stale and not self._options.stale_replica:
                raise SourceUnfit(
                    "cannot read leaderboards: this Redis is a replica that lost its master, "
                    "what it holds may be old",
                    hint="mend the replication, or name the master in [redis]; "
                    "stale_replica = true in the job reads it all the same",
                )
            return facts

    async def read(self, facts: SourceFacts, stage: Stage) -> Reading:
        """Stage every member of every board; what the server's restart spoiled is read again.

        Raises:
            CacheUnavailable: it is away.
            SourceUnavailable: it was started anew, or emptied, while it was read, twice.
        """
        spoiled = ""
        for _ in range(_TRIES):
            members, broken = await self._staged(stage)
            after = await self.examine()
            spoiled = _spoiled(facts, after)
            if not spoiled:
                if broken is not None:
                    raise broken
                return Reading(facts=facts, gaps=tuple(_gaps(facts, after, members)))
            facts = after
        raise SourceUnavailable(
            f"cannot read leaderboards: {spoiled}, twice",
            hint="nothing was written; the log of Redis says why",
        )

    async def _staged(self, stage: Stage) -> tuple[tuple[int, ...], CacheUnavailable | None]:
        """Stage all; a server that broke off is returned: it may be back, started anew."""
        try:
            return await stage(self._reader.pages()), None
        except CacheUnavailable as error:
            return (), error

    async def absent(self, users: Sequence[str]) -> set[str]:
        """Return those who are on no board now."""
        return await self._reader.absent(users)

    async def put_back(
        self, scores: Sequence[Scores], skip: frozenset[str], *, is_dry: bool
    ) -> int:
        """Put scores onto boards where Redis has none; return how many were added, or would be."""
        return await self._reader.restore(scores, skip, is_dry=is_dry)

    async def expire(self, ends: Mapping[str, datetime]) -> None:
        """Let boards expire, each at its instant; one that is not there is left out."""
        for board, at in ends.items():
            await self._reader.expire(board, at)

    async def claim(self) -> bool:
        """Take away the set of users who changed; tell whether there is any."""
        if not self._options.dirty:
            return False
        return await self._reader.claim_dirty(self._options.dirty, self._claim)

    def claimed(self) -> Pages:
        """Yield the users of the claim who are on a board."""
        return self._reader.claimed(self._claim)

    async def drop(self) -> None:
        """Forget the claim: its users are stored."""
        await self._reader.drop(self._claim)


def _spoiled(before: SourceFacts, after: SourceFacts) -> str:
    """Say what makes a reading worth nothing; empty where nothing does."""
    if before.server_id != after.server_id or before.uptime_seconds > after.uptime_seconds:
        return "Redis was started anew while it was read"
    emptied = [
        name
        for name, board in before.boards.items()
        if after.boards[name].members < _VANISHED * board.members
    ]
    if not emptied:
        return ""
    return f"most of {' and '.join(emptied)} vanished from Redis while it was read"


def _gaps(before: SourceFacts, after: SourceFacts, members: tuple[int, ...]) -> Iterator[str]:
    """Say why a reading is not known to hold everybody."""
    for (name, board), seen in zip(before.boards.items(), members, strict=True):
        if seen < _COMPLETE * board.members:
            yield f"{name}: {seen:,} of {board.members:,} members were read"
    if after.evicted_keys != before.evicted_keys:
        yield "Redis evicted keys while it was read"
