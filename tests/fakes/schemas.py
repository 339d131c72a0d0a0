"""Migrated schemas for tests, one after the other: emptied, renamed and given to the next.

Migrating takes as long as many a test. A test gets a schema whose name nobody had before it, with
the relations, contents and sequences of one that was just migrated; where the test before changed
something else about it for good (a column, a trigger, a grant), or still holds a lock, it gets a
new one.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import asyncpg

from syncd.clock import SystemClock
from syncd.model.address import PostgresAddress
from syncd.store.database import Database
from syncd.store.migrate import migrate
from syncd.store.pool import DatabaseSettings

_TEXT = Path(__file__).with_suffix(".sql").read_text("utf-8")
_PARTS = re.split(r"^-- name: (\w+)$", _TEXT, flags=re.MULTILINE)
SQL = dict(zip(_PARTS[1::2], _PARTS[2::2], strict=True))

_Connection = asyncpg.Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class _Spare:
    """A schema and what it is like when nobody has used it; `seeds` is what tables hold then."""

    name: str
    shape: str
    relations: list[int]
    seeds: Mapping[str, Any]


class Schemas:
    """Lends schemas of one server, one at a time; their names begin with `prefix`."""

    def __init__(self, address: PostgresAddress, prefix: str = "test") -> None:
        self._address = address
        self._prefix = prefix
        self._numbers = itertools.count(1)
        self._spare: _Spare | None = None

    async def lend(self) -> DatabaseSettings:
        """Return the settings of a schema that is as if it had just been migrated."""
        name, spare = f"{self._prefix}_{next(self._numbers)}", self._spare
        self._spare = None
        async with self._connected() as connection:
            if spare is None or not await _renewed(connection, spare, name):
                spare = await self._migrated(connection, name)
        self._spare = replace(spare, name=name)
        return DatabaseSettings(address=self._address, schema=name)

    async def _migrated(self, connection: _Connection, name: str) -> _Spare:
        settings = DatabaseSettings(address=self._address, schema=name)
        async with Database(settings, SystemClock()) as database:
            await migrate(database)
        tables = [row["name"] for row in await connection.fetch(SQL["filled"], name)]
        contents = {
            table.rpartition(".")[2]: await connection.fetchval(SQL["contents"].format(table=table))
            for table in tables
        }
        return _Spare(
            name=name,
            shape=await connection.fetchval(SQL["shape"], name),
            relations=await connection.fetchval(SQL["relations"], name),
            seeds=contents,
        )

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[_Connection]:
        # One of its own each time: a test may end, or count, all connections there are.
        address = self._address
        connection = await asyncpg.connect(
            host=address.host, port=address.port, user=address.user, database=address.database
        )
        try:
            yield connection
        finally:
            await connection.close()


async def _renewed(connection: _Connection, spare: _Spare, name: str) -> bool:
    """Empty a schema and give it another name; tell whether it is what it was."""
    try:
        async with connection.transaction():
            await connection.execute(_LOCALLY)
            await connection.execute(await connection.fetchval(SQL["lock"], spare.name) or "")
            await _empty(connection, spare)
            is_same = bool(await connection.fetchval(SQL["shape"], spare.name) == spare.shape)
            if is_same:
                await connection.execute(f"ALTER SCHEMA {spare.name} RENAME TO {name}")
    except asyncpg.PostgresError:
        return False  # it is gone, or somebody still uses it
    return is_same


# Rows go without their references being looked at: all of them go.
_LOCALLY = "SET LOCAL lock_timeout = '1s'; SET LOCAL session_replication_role = replica"


async def _empty(connection: _Connection, spare: _Spare) -> None:
    for (statement,) in await connection.fetch(SQL["strangers"], spare.name, spare.relations):
        await connection.execute(statement)
    filled = await connection.fetch(SQL["filled"], spare.name)
    small = [row["name"] for row in filled if row["is_small"]]
    large = [row["name"] for row in filled if not row["is_small"]]
    steps = [f"DELETE FROM {table}" for table in small]  # noqa: S608 - quoted by PostgreSQL
    if large:
        steps.append(f"TRUNCATE {', '.join(large)} CASCADE")
    await connection.execute(";".join(steps))
    await connection.execute(SQL["restart_sequences"], spare.name)
    for table, rows in spare.seeds.items():
        place = f"{spare.name}.{table}"
        await connection.execute(
            f"INSERT INTO {place} SELECT * FROM jsonb_populate_recordset(NULL::{place}, $1)",  # noqa: S608
            rows,
        )
    await connection.execute(SQL["forget_statistics"], spare.name)
