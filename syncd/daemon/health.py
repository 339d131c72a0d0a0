"""Whether PostgreSQL answers: asked every few seconds, told once when it changes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from syncd.clock import Clock
from syncd.errors import StoreUnavailable
from syncd.store.database import Database
from syncd.store.migrate import migrate
from syncd.telemetry.bus import Bus
from syncd.telemetry.events import ConditionNoticed, StoreLost, StoreRecovered

# With the patience of a ping: how long a server that is frozen goes unnoticed.
_ASK_EVERY_SECONDS = 2.0
_BACKOFF_SECONDS = (1.0, 10.0)
_POOLED = "PostgreSQL is reached through a pooler: every use is a transaction of its own"
_POOLED_HINT = "it works, and takes more round trips; straight to PostgreSQL it is faster"


class StoreHealth:
    """Migrates at the first contact and does what `at_first` says, then watches.

    `ready` is set from the first contact on; `error` says why PostgreSQL does not answer now.
    """

    def __init__(
        self, database: Database, clock: Clock, bus: Bus, *, at_first: Callable[[], Awaitable[None]]
    ) -> None:
        self._database = database
        self._clock = clock
        self._bus = bus
        self._at_first = at_first
        self._lost_at: float | None = None
        self.ready = asyncio.Event()
        self.error = "the database was not reached yet"
        self.latency_seconds = 0.0

    async def watch(self) -> None:
        """Ask for ever; an answer that fails is asked again after 1 to 10 s.

        Raises:
            SchemaUnfit: the schema does not fit this syncd, or its role may not use it.
        """
        wait, longest = _BACKOFF_SECONDS
        backoff = wait
        while True:
            try:
                await self._ask()
                backoff = wait
                await self._sleep_until_trouble()
            except StoreUnavailable as error:
                self._lose(error, backoff)
                await self._clock.sleep(backoff)
                backoff = min(backoff * 2, longest)

    async def _sleep_until_trouble(self) -> None:
        """Sleep a while, or until somebody found that PostgreSQL does not answer."""
        trouble = self._database.trouble
        async with asyncio.TaskGroup() as group:
            sleeper = group.create_task(self._clock.sleep(_ASK_EVERY_SECONDS))
            sleeper.add_done_callback(lambda _: trouble.set())
            await trouble.wait()
            sleeper.cancel()

    async def _ask(self) -> None:
        if not self.ready.is_set():
            await migrate(self._database)
            await self._at_first()
        self._database.trouble.clear()
        self.latency_seconds = await self._database.ping()
        self.error = ""
        if not self.ready.is_set() and self._database.is_pooled:
            self._bus.emit(ConditionNoticed(condition=_POOLED, hint=_POOLED_HINT))
        if self._lost_at is not None:
            down = self._clock.monotonic() - self._lost_at
            self._lost_at = None
            self._bus.emit(StoreRecovered(down_seconds=round(down, 1)))
        self.ready.set()

    def _lose(self, error: StoreUnavailable, retry_seconds: float) -> None:
        self.error = str(error)
        if self._lost_at is None:
            self._lost_at = self._clock.monotonic()
            self._bus.emit(StoreLost(error=str(error), retry_seconds=retry_seconds))
