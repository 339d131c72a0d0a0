"""Pools of connections: straight to PostgreSQL, or through a pooler that keeps nothing for us.

PgBouncer in transaction mode gives each transaction whatever server connection is free. Settings,
prepared statements and temporary tables of a session are then somebody else's, or nobody's, a
moment later, and its own answers do not say so. So the first connection is made as to PostgreSQL
itself, and looked at: a pooler refuses our settings, or greets in the name of another process than
the one that answers. From then on every use is one transaction that brings its settings along.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

import asyncpg

from syncd.model.address import PostgresAddress
from syncd.store.blocks import load_blocks

SslMode = Literal["disable", "prefer", "allow", "require", "verify-ca", "verify-full"]

_MILLISECOND = timedelta(milliseconds=1)
# What a pooler says of settings, and of statements that another session prepared.
REFUSED_BY_POOLER = (
    asyncpg.ProtocolViolationError,
    asyncpg.InvalidSQLStatementNameError,
    asyncpg.DuplicatePreparedStatementError,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseSettings:
    """How to reach PostgreSQL.

    `pool` is the most connections kept; `connect_timeout` bounds a connection attempt and the wait
    for a free one, `command_timeout` each statement. Without it a black-holed connection would hold
    its caller for minutes whatever timeout stands outside. `idle_timeout` is how long PostgreSQL
    leaves a transaction open in which nothing happens: a process that was frozen inside one must
    not keep the next leader from taking over.
    """

    address: PostgresAddress
    schema: str = "syncd"
    pool: int = 8
    connect_timeout: timedelta = timedelta(seconds=10)
    command_timeout: timedelta = timedelta(seconds=30)
    idle_timeout: timedelta = timedelta(seconds=20)

    @property
    def idle_milliseconds(self) -> str:
        """Return `idle_timeout` as PostgreSQL takes it."""
        return str(self.idle_timeout // _MILLISECOND)


class PoolerFound(Exception):
    """Reaches `Database`: what answers is no session of our own."""


async def open_direct(settings: DatabaseSettings) -> asyncpg.Pool:
    """Make a pool whose sessions keep their settings; nothing is connected yet.

    Whoever changes something of a session undoes it: that nobody left anything behind is not asked
    for each time, which would be a trip for every use.

    Its connections raise `PoolerFound` where there is a pooler, or one of `REFUSED_BY_POOLER`.
    """

    async def prepare(connection: Any) -> None:
        async with connection.transaction():
            # Without a name: it would stay behind in a pooler's connection.
            question = await connection.prepare(load_blocks("database")["is_direct"], name="")
            values = connection.get_server_pid(), settings.schema
            if not await question.fetchval(*values):
                raise PoolerFound
        await _decode_json(connection)

    return await _open(
        settings,
        init=prepare,
        reset=_leave,
        # What was prepared an hour ago is not prepared again.
        max_cached_statement_lifetime=0,
        server_settings={
            "search_path": settings.schema,
            "application_name": "syncd",
            "timezone": "UTC",
            "lock_timeout": "10s",
            "idle_in_transaction_session_timeout": settings.idle_milliseconds,
        },
    )


async def open_pooled(settings: DatabaseSettings) -> asyncpg.Pool:
    """Make a pool whose connections keep nothing from one transaction to the next."""

    async def prepare(connection: Any) -> None:
        async with connection.transaction():
            await _decode_json(connection)

    return await _open(
        settings,
        init=prepare,
        reset=_leave,
        statement_cache_size=0,
        server_settings={"application_name": "syncd"},
    )


async def _open(settings: DatabaseSettings, **more: Any) -> asyncpg.Pool:
    address = settings.address
    options: dict[str, Any] = {
        "host": address.host,
        "port": address.port,
        "user": address.user,
        "password": address.password or None,
        "database": address.database,
        "ssl": address.ssl or None,
        # After a failover: not the one that only reads.
        "target_session_attrs": "read-write",
        "min_size": 0,
        "max_size": settings.pool,
        "timeout": settings.connect_timeout.total_seconds(),
        "command_timeout": settings.command_timeout.total_seconds(),
        "max_inactive_connection_lifetime": 300,
    }
    pool: asyncpg.Pool = await asyncpg.create_pool(**options, **more)
    return pool


async def _leave(connection: Any) -> None:
    """Leave a connection as it is; asyncpg has ended its transaction by then."""
    del connection


async def _decode_json(connection: Any) -> None:
    """Let jsonb columns be Python values, both ways."""
    await connection.set_type_codec(
        "jsonb", encoder=json.dumps, decoder=json.loads, schema="pg_catalog"
    )
