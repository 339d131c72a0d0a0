"""Reach Redis, with a deadline of our own.

redis-py retries by itself, which turns one dead command into a quarter of a minute; its retries are
off, and every question ends after `timeout_seconds`.
"""

from __future__ import annotations

import asyncio
from typing import Self

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from syncd.clock import Clock
from syncd.errors import CacheUnavailable
from syncd.model.address import RedisAddress


class Cache:
    """One Redis server; use as an async context manager. Entering does not connect."""

    def __init__(
        self, address: RedisAddress, clock: Clock, *, timeout_seconds: float = 2.0
    ) -> None:
        self.address = address
        self._clock = clock
        self._timeout_seconds = timeout_seconds
        self._redis = Redis(
            host=address.host,
            port=address.port,
            unix_socket_path=address.socket or None,
            username=address.username or None,
            password=address.password or None,
            db=address.database,
            ssl=address.tls,
            retry=Retry(NoBackoff(), 0),
            socket_timeout=timeout_seconds,
            socket_connect_timeout=timeout_seconds,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._redis.aclose()

    async def ping(self) -> float:
        """Ask for nothing and return the seconds it took.

        Raises:
            CacheUnavailable: no answer in time.
        """
        begun = self._clock.monotonic()
        try:
            async with asyncio.timeout(self._timeout_seconds):
                await self._redis.ping()
        except (RedisError, OSError, TimeoutError) as error:
            raise CacheUnavailable(
                f"cannot use Redis {self.address}: {type(error).__name__}",
                hint="check that the server runs and that [redis] names it rightly",
            ) from error
        return self._clock.monotonic() - begun
