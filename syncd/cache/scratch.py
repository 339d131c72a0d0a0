"""Boards that are made to be thrown away, for a trial against a server that others use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Self

from syncd.cache.raw import RawConnection
from syncd.model.address import RedisAddress

# Should nobody be left to clean up, Redis does.
_LIFE_SECONDS = 3_600


class ScratchBoards:
    """Sorted sets under keys of their own; use as an async context manager, which asks nothing.

    Every method raises what `RawConnection` does where the server does not answer or refuses.
    """

    def __init__(
        self, address: RedisAddress, keys: Sequence[str], *, timeout_seconds: float = 2.0
    ) -> None:
        self._keys = keys
        self._redis = RawConnection(address, timeout_seconds=timeout_seconds)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._redis.drop()

    async def put(self, scores: Mapping[str, float]) -> None:
        """Write scores to the first board."""
        words = [str(word) for user, score in scores.items() for word in (score, user)]
        await self._redis.ask("ZADD", self._keys[0], *words)
        await self._redis.ask("EXPIRE", self._keys[0], _LIFE_SECONDS)

    async def remove(self, user: str) -> None:
        """Take a user off the first board."""
        await self._redis.ask("ZREM", self._keys[0], user)

    async def drop(self) -> None:
        """Remove every board, as a flush does."""
        await self._redis.ask("DEL", *self._keys)

    async def left(self) -> int:
        """Return how many of the keys are there."""
        return int(await self._redis.ask("EXISTS", *self._keys))
