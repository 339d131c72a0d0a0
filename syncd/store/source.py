"""The platform's own PostgreSQL: one query, read page by page; nothing is ever written there."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Self, cast

import asyncpg

from syncd.config.duration import format_duration
from syncd.errors import RunError, SourceUnavailable, StoreUnavailable
from syncd.model.address import PostgresAddress
from syncd.store.blocks import load_blocks
from syncd.store.database import Row
from syncd.store.pool import SslMode
from syncd.store.translation import translated

_CONNECT_SECONDS = 10.0
_CLOSE_SECONDS = 2.0
# Decoding a page holds up the loop: some ten thousand values are a few milliseconds.
_PAGE = 2_000
_LONGEST = 200
_READS_ONLY = "it must return rows and change nothing"
# Texts of these classes name what stands in the query; those of other classes hold rows.
_ABOUT_THE_QUERY = ("42", "25006", "0A")


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceQuery:
    """A SELECT on somebody else's database; `timeout` bounds it from its start to the last row.

    `place` is the table of config.toml that it stands in, for messages.
    """

    place: str
    text: str
    address: PostgresAddress
    timeout: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of the result, with its type as PostgreSQL names it."""

    name: str
    type: str


class Source:
    """One query in a transaction that reads only; use as an async context manager.

    The rows are as of one instant. All errors are of the run: the store that syncd writes to is
    another server.
    """

    def __init__(self, query: SourceQuery) -> None:
        self._query = query
        self._sql = load_blocks("source")
        self._connection: asyncpg.Connection | None = None
        self._statement: Any = None
        self._ends_at = 0.0

    async def __aenter__(self) -> Self:
        """Connect, and have the query understood.

        Raises:
            SourceUnavailable: the server cannot be reached or refuses us.
            RunError: it does not understand the query, or this is no SELECT.
        """
        with self._named():
            self._connection = await self._connect()
        try:
            await self._prepare(self._connection)
        except BaseException:
            self._connection.terminate()
            raise
        return self

    async def __aexit__(self, kind: object, *_: object) -> None:
        """Leave; nothing there waits for an end of our transaction."""
        assert self._connection is not None
        if kind is not None:
            self._connection.terminate()
            return
        try:
            await self._connection.close(timeout=_CLOSE_SECONDS)
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            self._connection.terminate()

    async def _connect(self) -> asyncpg.Connection:
        try:
            return await self._connection_to(self._query.address)
        except asyncpg.ClientConfigurationError as exc:
            raise SourceUnavailable(
                f"the users cannot be read: the connection to {self._query.address} cannot be "
                "prepared as its sslmode asks",
                hint="sslmode=verify-ca and verify-full need the server's root certificate: name "
                "its file in PGSSLROOTCERT, or put it at ~/.postgresql/root.crt",
            ) from exc

    async def _connection_to(self, address: PostgresAddress) -> asyncpg.Connection:
        return await asyncpg.connect(
            host=address.host,
            port=address.port,
            user=address.user,
            password=address.password or None,
            database=address.database,
            ssl=cast("SslMode | None", address.ssl or None),
            timeout=_CONNECT_SECONDS,
            # What is prepared by name stays behind in the connection of a pooler.
            statement_cache_size=0,
            server_settings={"application_name": "syncd"},
        )

    async def _prepare(self, connection: asyncpg.Connection) -> None:
        seconds = self._query.timeout.total_seconds()
        self._ends_at = asyncio.get_running_loop().time() + seconds
        async with self._asking():
            await connection.transaction(isolation="repeatable_read", readonly=True).start()
            await connection.fetchval(self._sql["bound_statement"], str(round(seconds * 1000)))
            self._statement = await connection.prepare(self._query.text, name="")
        if not self._statement.get_attributes():
            raise self._refused("is not a SELECT", _READS_ONLY)
        if self._statement.get_parameters():
            raise self._refused("has parameters such as $1", "write the values into it")

    @property
    def columns(self) -> Sequence[Column]:
        """Return what the query returns, in its order."""
        return [
            Column(name=attribute.name, type=attribute.type.name)
            for attribute in self._statement.get_attributes()
        ]

    async def pages(self) -> AsyncIterator[Sequence[Row]]:
        """Yield the rows, some thousands at a time; no more than that is held.

        Raises:
            SourceUnavailable: the connection broke off.
            RunError: the query failed, would write, or was not through in time.
        """
        async with self._asking():
            cursor = await self._statement.cursor()
        while True:
            async with self._asking():
                page = await cursor.fetch(_PAGE)
            if not page:
                return
            yield page

    @contextlib.asynccontextmanager
    async def _asking(self) -> AsyncIterator[None]:
        """Give one step what is left of the time, and say what becomes of it in our words."""
        try:
            async with asyncio.timeout_at(self._ends_at):
                with self._named():
                    yield
        except TimeoutError as exc:
            raise self._too_slow() from exc

    @contextlib.contextmanager
    def _named(self) -> Iterator[None]:
        try:
            with translated(self._query.address), self._about_query():
                yield
        except StoreUnavailable as exc:
            url = f"url of {self._query.place}"
            raise SourceUnavailable(
                f"the users cannot be read: {exc}",
                hint=f"check that the server runs and that {url} names it rightly",
            ) from exc

    @contextlib.contextmanager
    def _about_query(self) -> Iterator[None]:
        """Tell apart what is wrong with the query from what is wrong with the server."""
        try:
            yield
        except asyncpg.QueryCanceledError as exc:
            raise self._too_slow() from exc
        except asyncpg.ReadOnlySQLTransactionError as exc:
            raise self._refused(_in_words(exc, self._query.text), _READS_ONLY) from exc
        except asyncpg.PostgresError as exc:
            if _is_trouble_of_the_server(exc):
                raise
            raise self._refused(_in_words(exc, self._query.text), "try it in psql") from exc
        except (ValueError, OverflowError) as exc:
            # What asyncpg cannot read, such as the year 20000.
            raise self._refused("returned a value that cannot be read", "look at dates") from exc

    def _refused(self, why: str, hint: str) -> RunError:
        return RunError(
            f"{self._query.place} query {why}; nothing was changed",
            hint=f"mend query of {self._query.place}: {hint}",
        )

    def _too_slow(self) -> RunError:
        limit = format_duration(self._query.timeout)
        return RunError(
            f"{self._query.place} query was not through after {limit}; nothing was changed",
            hint=f"make it faster, or raise timeout of {self._query.place}",
        )


def _is_trouble_of_the_server(exc: asyncpg.PostgresError) -> bool:
    """Tell whether an error is of the connection, the server or its resources."""
    return (exc.sqlstate or "")[:2] in {"08", "28", "3D", "53", "57", "58", "XX"}


def _in_words(exc: asyncpg.PostgresError, query: str) -> str:
    """Say what the server says about the query, without a value of any row."""
    code = exc.sqlstate or ""
    if not code.startswith(_ABOUT_THE_QUERY):
        return f"failed: {type(exc).__name__} ({code})"
    text = " ".join(str(exc.args[0]).split())[:_LONGEST]
    position = getattr(exc, "position", None)
    if position is None:
        return f"failed: {text}"
    line = query.count("\n", 0, int(position) - 1) + 1
    return f"failed at character {position} (line {line}): {text}"
