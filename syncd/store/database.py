"""The pool: every statement has a deadline, every asyncpg error ends here."""

from __future__ import annotations

import asyncio
import contextlib
import random
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, Self, TypeVar

import asyncpg
import structlog

from syncd.clock import Clock
from syncd.errors import StoreUnavailable
from syncd.store.blocks import load_blocks
from syncd.store.borrower import borrower
from syncd.store.pool import (
    REFUSED_BY_POOLER,
    DatabaseSettings,
    PoolerFound,
    open_direct,
    open_pooled,
)
from syncd.store.translation import BROKEN, Collided, translated

Connection = asyncpg.pool.PoolConnectionProxy
Row = asyncpg.Record
_T = TypeVar("_T")

_TRIES = 5
_PING_SECONDS = 3.0

log = structlog.get_logger()


@contextlib.contextmanager
def _cut_when_given_up(connection: Connection) -> Iterator[None]:
    """Drop a connection in the middle of whose use the caller went away, or had no answer in time.

    Giving it back would wait for the end of what it does, on a silent server for ten seconds. So is
    one dropped that leads to a server which only reads, after a failover.
    """
    try:
        yield
    except (asyncio.CancelledError, TimeoutError, asyncpg.ReadOnlySQLTransactionError):
        _cut(connection)
        raise


def _cut(connection: Connection) -> None:
    # One that is gone already says so by an error, which would hide why we are here.
    with contextlib.suppress(asyncpg.InterfaceError):
        connection.terminate()


async def undo(connection: Connection, transaction: Any) -> None:
    """Roll back on the way out of an error; waits for nothing where the connection is given up.

    That the connection is gone is no error: nothing of the transaction stays then either.
    """
    task = asyncio.current_task()
    is_cancelled = task is not None and task.cancelling()
    if is_cancelled or isinstance(sys.exception(), asyncio.CancelledError | TimeoutError):
        _cut(connection)
        return
    with contextlib.suppress(*BROKEN):
        await transaction.rollback()


@contextlib.asynccontextmanager
async def atomic(connection: Connection) -> AsyncIterator[None]:
    """Do all or nothing; an error inside leaves as it is, also where its connection is gone."""
    transaction = connection.transaction()
    await transaction.start()
    try:
        yield
    except BaseException:
        await undo(connection, transaction)
        raise
    await transaction.commit()


class Database:
    """One pool on one schema; use as an async context manager.

    Entering does not connect: a database that is down at start is not the end of the daemon. The
    first use connects, and every use after a failure tries again.
    """

    def __init__(self, settings: DatabaseSettings, clock: Clock) -> None:
        self.settings = settings
        self._clock = clock
        self._pool: asyncpg.Pool | None = None
        self._opening = asyncio.Lock()
        self._holders: dict[int, tuple[str, float]] = {}
        self._preambles: dict[str, str] = {}
        self.is_pooled = False
        """Whether a pooler stands before PostgreSQL: every use is one transaction then."""
        self.waits_given_up = 0
        """How often all connections were in use for longer than `connect_timeout`."""
        # Set by whoever finds that PostgreSQL does not answer; cleared by whoever watches it.
        self.trouble = asyncio.Event()

    async def __aenter__(self) -> Self:
        """Return the database without touching the network."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close politely for two seconds, then cut what is still busy."""
        await self.disconnect()

    async def disconnect(self) -> None:
        """Drop every connection; the next use connects again."""
        pool, self._pool = self._pool, None
        if pool is None:
            return
        try:
            async with asyncio.timeout(2):
                await pool.close()
        except (TimeoutError, *BROKEN):
            pool.terminate()

    @contextlib.asynccontextmanager
    async def connection(self, *, at_leisure: bool = False) -> AsyncIterator[Connection]:
        """Lend a connection; asyncpg's errors leave as `StoreUnavailable` and kin.

        Through a pooler it is lent inside a transaction, which may be idle only for a while, unless
        `at_leisure` is set.
        """
        try:
            with translated(self.settings.address):
                async with self._lent() as connection:
                    if not self.is_pooled:
                        yield connection
                        return
                    async with atomic(connection):
                        await self._begin(connection, at_leisure=at_leisure)
                        yield connection
        except StoreUnavailable:
            self.trouble.set()
            raise

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """Lend a connection inside a transaction: all or nothing."""
        async with self.connection() as connection:
            if self.is_pooled:
                yield connection
                return
            async with atomic(connection):
                yield connection

    async def hasten(self, connection: Connection) -> None:
        """Let a connection that was lent at leisure be idle inside a transaction no longer."""
        if self.is_pooled:
            await self._begin(connection, at_leisure=False)

    async def repeat(self, step: Callable[[], Awaitable[_T]]) -> _T:
        """Take a step, and again, five times at most, where another transaction was in its way."""
        for _ in range(_TRIES - 1):
            with contextlib.suppress(Collided):
                return await step()
            await self._clock.sleep(random.uniform(0.01, 0.1))  # noqa: S311 - spreads load
        return await step()

    async def ping(self) -> float:
        """Ask for next to nothing and return the seconds it took.

        Raises:
            StoreUnavailable: no answer in time, or our tables are not there.
        """
        begun = self._clock.monotonic()
        # Where others hold all connections, their waits tell more than ours would.
        is_full = len(self._holders) >= self.settings.pool
        patience = None if is_full else min(_PING_SECONDS, self._connect_seconds)
        with translated(self.settings.address):
            async with asyncio.timeout(patience), self.connection() as connection:
                await connection.fetchval(load_blocks("database")["ping"])
        return self._clock.monotonic() - begun

    @property
    def _connect_seconds(self) -> float:
        return self.settings.connect_timeout.total_seconds()

    @contextlib.asynccontextmanager
    async def _lent(self) -> AsyncIterator[Connection]:
        pool, connection = await self._acquired()
        self._holders[id(connection)] = (borrower(), self._clock.monotonic())
        try:
            with _cut_when_given_up(connection):
                yield connection
        finally:
            del self._holders[id(connection)]
            await pool.release(connection)

    async def _acquired(self) -> tuple[asyncpg.Pool, Connection]:
        timeout = self._connect_seconds
        pool = await self._opened()
        is_pooled = self.is_pooled
        try:
            return pool, await pool.acquire(timeout=timeout)
        except (PoolerFound, *REFUSED_BY_POOLER):
            if is_pooled:
                raise
            await self._go_pooled()
            return await self._acquired()
        except TimeoutError as exc:
            if len(self._holders) < self.settings.pool:
                raise
            raise self._exhausted() from exc

    async def _go_pooled(self) -> None:
        """Use the pooler that was found as one; several may find it at once."""
        if not self.is_pooled:
            self.is_pooled = True
            await self.disconnect()

    def _exhausted(self) -> StoreUnavailable:
        """Say who keeps everybody else from PostgreSQL."""
        self.waits_given_up += 1
        now = self._clock.monotonic()
        holders = ", ".join(f"{who} ({now - at:.0f} s)" for who, at in self._holders.values())
        log.warning("store.exhausted", connections=self.settings.pool, holders=holders)
        timeout = self._connect_seconds
        return StoreUnavailable(
            f"all {self.settings.pool} connections were in use for {timeout:g} s: {holders}"[:400],
            hint="raise pool in [database], or see what takes them so long",
        )

    async def _opened(self) -> asyncpg.Pool:
        async with self._opening:
            if self._pool is None:
                opener = open_pooled if self.is_pooled else open_direct
                self._pool = await opener(self.settings)
            return self._pool

    async def _begin(self, connection: Connection, *, at_leisure: bool) -> None:
        """Bring along what a session of our own would have."""
        idle = "0" if at_leisure else self.settings.idle_milliseconds
        if idle not in self._preambles:
            self._preambles[idle] = await connection.fetchval(
                load_blocks("database")["preamble"], self.settings.schema, idle
            )
        await connection.execute(self._preambles[idle])
