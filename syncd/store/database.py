"""The pool: every statement has a deadline, every asyncpg error ends here."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal, Self, TypeVar, cast

import asyncpg
import structlog

from syncd.clock import Clock
from syncd.errors import StoreUnavailable, SyncdError
from syncd.model.address import PostgresAddress
from syncd.store.blocks import load_blocks
from syncd.store.borrower import borrower

Connection = asyncpg.pool.PoolConnectionProxy
SslMode = Literal["disable", "prefer", "allow", "require", "verify-ca", "verify-full"]
Row = asyncpg.Record
_T = TypeVar("_T")

_TRIES = 5

log = structlog.get_logger()

_BROKEN = (
    OSError,
    asyncio.TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.PostgresSystemError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.ReadOnlySQLTransactionError,
)
_COLLIDED = (
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.LockNotAvailableError,
    asyncpg.UniqueViolationError,
    asyncpg.ForeignKeyViolationError,
)
_UNFIT = (asyncpg.DataError, asyncpg.CheckViolationError, asyncpg.ProgramLimitExceededError)
_REFUSED = (
    asyncpg.InvalidPasswordError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InsufficientPrivilegeError,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseSettings:
    """How to reach PostgreSQL.

    `pool` is the most connections kept; `connect_timeout` bounds a connection attempt and the wait
    for a free one, `command_timeout` each statement. Without it a black-holed connection would hold
    its caller for minutes whatever timeout stands outside.
    """

    address: PostgresAddress
    schema: str = "syncd"
    pool: int = 8
    connect_timeout: timedelta = timedelta(seconds=10)
    command_timeout: timedelta = timedelta(seconds=30)


class RowRefused(SyncdError):
    """PostgreSQL refused a value (NUL, overflow): the batch must be split to find the bad row."""


class Collided(StoreUnavailable):
    """Another transaction was in the way (locks, a row that came or went): nothing was written."""


@contextlib.contextmanager
def translated(address: PostgresAddress) -> Iterator[None]:
    """Turn asyncpg's errors into ours; never repeat its texts, they may carry values."""
    try:
        yield
    except _REFUSED as exc:
        raise StoreUnavailable(
            f"PostgreSQL {address} refused the connection: {type(exc).__name__}",
            hint="check user, password_file, database and the grants of [database]",
        ) from exc
    except _UNFIT as exc:
        raise RowRefused(f"PostgreSQL refused a value: {type(exc).__name__}") from exc
    except _COLLIDED as exc:
        raise Collided(f"PostgreSQL {address} undid a transaction: {type(exc).__name__}") from exc
    except _BROKEN as exc:
        if _is_unfit_here(exc):
            raise RowRefused(f"asyncpg refused a value: {type(exc).__name__}") from exc
        raise StoreUnavailable(
            f"cannot use PostgreSQL {address}: {_cause(exc)}",
            hint="check that the server runs and that [database] names it rightly",
        ) from exc


@contextlib.contextmanager
def _cut_when_given_up(connection: Connection) -> Iterator[None]:
    """Drop a connection in the middle of whose use the caller went away, or had no answer in time.

    Giving it back would wait for what it does, on a silent server for ten seconds.
    """
    try:
        yield
    except (asyncio.CancelledError, TimeoutError):
        _cut(connection)
        raise


def _cut(connection: Connection) -> None:
    # One that is gone says so by an error, which would hide why we are here.
    with contextlib.suppress(asyncpg.InterfaceError):
        connection.terminate()


async def undo(connection: Connection, transaction: Any) -> None:
    """Roll back on the way out of an error; without waiting where the connection is given up."""
    if isinstance(sys.exception(), (asyncio.CancelledError, TimeoutError)):
        _cut(connection)
        return
    with contextlib.suppress(*_BROKEN):
        await transaction.rollback()


def _is_unfit_here(exc: BaseException) -> bool:
    """Tell whether asyncpg's own check of an argument failed: an interface error by its class."""
    is_value = isinstance(exc, asyncpg.InterfaceError) and isinstance(exc, ValueError)
    return is_value and not isinstance(exc, asyncpg.ClientConfigurationError)


def _cause(exc: BaseException) -> str:
    """Say in a few words what broke; only texts that hold no values are repeated."""
    if isinstance(exc, TimeoutError):
        return "no answer in time"
    if isinstance(exc, OSError):
        return exc.strerror or type(exc).__name__
    return type(exc).__name__


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
        # How often all connections were in use for longer than `connect_timeout`.
        self.waits_given_up = 0
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
        except (TimeoutError, *_BROKEN):
            pool.terminate()

    @contextlib.asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """Lend a connection; asyncpg's errors leave as `StoreUnavailable` and kin."""
        try:
            with translated(self.settings.address):
                async with self._lent() as connection:
                    yield connection
        except StoreUnavailable:
            self.trouble.set()
            raise

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
        timeout = self.settings.connect_timeout.total_seconds()
        pool = await self._opened()
        try:
            return pool, await pool.acquire(timeout=timeout)
        except TimeoutError as exc:
            if len(self._holders) < self.settings.pool:
                raise
            raise self._exhausted(timeout) from exc

    def _exhausted(self, timeout: float) -> StoreUnavailable:
        """Say who keeps everybody else from PostgreSQL."""
        self.waits_given_up += 1
        now = self._clock.monotonic()
        holders = ", ".join(f"{who} ({now - at:.0f} s)" for who, at in self._holders.values())
        log.warning("store.exhausted", connections=self.settings.pool, holders=holders)
        return StoreUnavailable(
            f"all {self.settings.pool} connections were in use for {timeout:g} s: {holders}"[:400],
            hint="raise pool in [database], or see what takes them so long",
        )

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """Lend a connection inside a transaction: all or nothing."""
        async with self.connection() as connection:
            transaction = connection.transaction()
            await transaction.start()
            try:
                yield connection
            except BaseException:
                await undo(connection, transaction)
                raise
            await transaction.commit()

    async def repeat(self, step: Callable[[], Awaitable[_T]]) -> _T:
        """Take a step, and again, five times at most, where another transaction was in its way."""
        for _ in range(_TRIES - 1):
            with contextlib.suppress(Collided):
                return await step()
            await self._clock.sleep(random.uniform(0.01, 0.1))  # noqa: S311 - spreads load
        return await step()

    async def ping(self) -> float:
        """Ask for nothing and return the seconds it took.

        Raises:
            StoreUnavailable: no answer in time.
        """
        begun = self._clock.monotonic()
        async with self.connection() as connection:
            await connection.fetchval(load_blocks("database")["ping"])
        return self._clock.monotonic() - begun

    async def _opened(self) -> asyncpg.Pool:
        async with self._opening:
            if self._pool is None:
                self._pool = await self._open()
            return self._pool

    async def _open(self) -> asyncpg.Pool:
        settings, address = self.settings, self.settings.address
        timeout = settings.connect_timeout.total_seconds()
        return await asyncpg.create_pool(
            host=address.host,
            port=address.port,
            user=address.user,
            password=address.password or None,
            database=address.database,
            ssl=cast("SslMode | None", address.ssl or None),
            min_size=0,
            max_size=settings.pool,
            timeout=timeout,
            command_timeout=settings.command_timeout.total_seconds(),
            max_inactive_connection_lifetime=300,
            init=_prepare_connection,
            server_settings={
                "search_path": settings.schema,
                "application_name": "syncd",
                "timezone": "UTC",
                "lock_timeout": "10s",
                "idle_in_transaction_session_timeout": "60s",
            },
        )


async def _prepare_connection(connection: Any) -> None:
    """Let jsonb columns be Python values, both ways."""
    await connection.set_type_codec(
        "jsonb", encoder=json.dumps, decoder=json.loads, schema="pg_catalog"
    )
