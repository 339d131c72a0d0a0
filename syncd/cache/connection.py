"""Ask Redis whether it is there."""

from __future__ import annotations

from typing import Self

from syncd.cache.raw import RawConnection
from syncd.clock import Clock
from syncd.errors import CacheUnavailable, SourceUnfit
from syncd.model.address import RedisAddress


class Cache:
    """One Redis server; use as an async context manager. Entering does not connect."""

    def __init__(
        self, address: RedisAddress, clock: Clock, *, timeout_seconds: float = 2.0
    ) -> None:
        self.address = address
        self._clock = clock
        self._line = RawConnection(address, timeout_seconds=timeout_seconds)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._line.drop()

    async def ping(self) -> float:
        """Ask for nothing and return the seconds it took.

        Raises:
            CacheUnavailable: no answer in time, or another one than that it is there.
        """
        begun = self._clock.monotonic()
        try:
            await self._line.ask("PING")
        except SourceUnfit as error:
            raise CacheUnavailable(str(error), hint=error.hint) from error
        return self._clock.monotonic() - begun
