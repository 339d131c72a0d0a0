"""Boards that are made to be thrown away, for a trial against a server that others use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Self

from syncd.cache.connection import asking, open_client
from syncd.model.address import RedisAddress

# Should nobody be left to clean up, Redis does.
_LIFE_SECONDS = 3_600


class ScratchBoards:
    """Sorted sets under keys of their own; use as an async context manager.

    Every method raises `CacheUnavailable` where the server does not answer or refuses.
    """

    def __init__(
        self, address: RedisAddress, keys: Sequence[str], *, timeout_seconds: float = 2.0
    ) -> None:
        self._address = address
        self._keys = keys
        self._timeout_seconds = timeout_seconds
        self._redis = open_client(address, timeout_seconds)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._redis.aclose()

    async def put(self, scores: Mapping[str, float]) -> None:
        """Write scores to the first board."""
        key = self._keys[0]
        async with asking(self._address, self._timeout_seconds):
            await self._redis.zadd(key, dict(scores))
            await self._redis.expire(key, _LIFE_SECONDS)

    async def remove(self, user: str) -> None:
        """Take a user off the first board."""
        async with asking(self._address, self._timeout_seconds):
            await self._redis.zrem(self._keys[0], user)

    async def drop(self) -> None:
        """Remove every board, as a flush does."""
        async with asking(self._address, self._timeout_seconds):
            await self._redis.delete(*self._keys)

    async def left(self) -> int:
        """Return how many of the keys are there."""
        async with asking(self._address, self._timeout_seconds):
            return int(await self._redis.exists(*self._keys))
