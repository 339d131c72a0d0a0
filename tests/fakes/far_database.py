"""A test's database behind a line that can break, and the crash of a server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from fakes.tcp_proxy import TcpProxy, tcp_proxy

from syncd.clock import SystemClock
from syncd.store.database import Database


@pytest.fixture
async def proxy(database: Database) -> AsyncIterator[TcpProxy]:
    address = database.settings.address
    async with tcp_proxy(Path(address.host) / f".s.PGSQL.{address.port}") as proxy:
        yield proxy


@pytest.fixture
async def far(database: Database, proxy: TcpProxy) -> AsyncIterator[Database]:
    """The same schema behind a line that can break."""
    settings = replace(
        database.settings,
        address=replace(
            database.settings.address, host="127.0.0.1", port=proxy.port, ssl="disable"
        ),
        connect_timeout=timedelta(seconds=3),
        command_timeout=timedelta(seconds=2),
    )
    async with Database(settings, SystemClock()) as far:
        yield far


async def kill_all(database: Database) -> None:
    """Do what a crash of the server does to everybody else's connections."""
    async with database.connection() as connection:
        await connection.fetch(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid() "
            "AND backend_type = 'client backend'"
        )
