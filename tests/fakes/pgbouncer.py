"""A real PgBouncer in transaction mode before a test's PostgreSQL."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fakes.daemon_config import free_port
from fakes.tcp_proxy import tcp_proxy
from fakes.waiting import until

from syncd.clock import SystemClock
from syncd.model.address import PostgresAddress
from syncd.store.database import Database

# PgBouncer refuses to be root, and cannot enter a folder of root's: it reaches PostgreSQL by TCP.
SERVICE_USER = "nobody"
CONFIG = """
[databases]
* = host=127.0.0.1 port={target}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {folder}/users.txt
pool_mode = {mode}
default_pool_size = {size}
max_client_conn = 200
server_round_robin = 1
{more}
"""


@contextlib.asynccontextmanager
async def pgbouncer(
    address: PostgresAddress, *, mode: str = "transaction", size: int = 5, more: str = ""
) -> AsyncIterator[PostgresAddress]:
    """Run a PgBouncer that uses server connections in turn: what is left behind is missed."""
    with tempfile.TemporaryDirectory(prefix="pgbouncer-") as name:
        folder, port = Path(name), free_port()
        async with tcp_proxy(Path(address.host) / f".s.PGSQL.{address.port}") as proxy:
            values = {"target": proxy.port, "port": port, "mode": mode, "size": size, "more": more}
            _write(folder, address.user, values)
            user = ("-u", SERVICE_USER) if os.geteuid() == 0 else ()
            with (folder / "log").open("wb") as log:
                process = await asyncio.create_subprocess_exec(
                    "pgbouncer", *user, str(folder / "pgbouncer.ini"), stderr=log, stdout=log
                )
            try:
                await until(lambda: _listens(port), what="PgBouncer")
                yield replace(address, host="127.0.0.1", port=port, ssl="disable")
            finally:
                process.terminate()
                await process.wait()


def _write(folder: Path, user: str, values: Mapping[str, Any]) -> None:
    (folder / "users.txt").write_text(f'"{user}" ""\n')
    (folder / "pgbouncer.ini").write_text(CONFIG.format(folder=folder, **values))
    folder.chmod(0o755)


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.transport.abort()
    return True


@pytest.fixture
async def bounced(database: Database) -> AsyncIterator[Database]:
    """A test's migrated schema, through PgBouncer in transaction mode."""
    async with (
        pgbouncer(database.settings.address) as address,
        Database(replace(database.settings, address=address), SystemClock()) as bounced,
    ):
        yield bounced
