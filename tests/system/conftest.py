"""What the system tests start: daemons, each in a folder of its own."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from fakes.daemon_config import Tables, merged
from fakes.daemon_process import DaemonProcess, Start, daemon_process
from fakes.post_office import PostOffices
from fakes.post_office import post_office as opened
from fakes.sandbox_process import SandboxProcess
from fakes.tcp_proxy import TcpProxy, tcp_proxy

from syncd.clock import SystemClock
from syncd.embedded.postgres import EmbeddedPostgres
from syncd.model.address import PostgresAddress
from syncd.telemetry.bus import Bus


@pytest.fixture(scope="session")
def initialised(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state directory in which PostgreSQL has run once: copying it saves its creation."""

    async def start_once(state_dir: Path) -> None:
        async with EmbeddedPostgres(state_dir, Bus(), SystemClock()):
            pass

    state_dir = tmp_path_factory.mktemp("initialised") / "state"
    asyncio.run(start_once(state_dir))
    return state_dir


@pytest.fixture
def embedded_daemon(initialised: Path, tmp_path: Path) -> Start:
    """Start a daemon with servers of its own."""

    @contextlib.asynccontextmanager
    async def start(
        sandbox: SandboxProcess | None = None, tables: Tables | None = None, **more: Any
    ) -> AsyncIterator[DaemonProcess]:
        shutil.copytree(initialised / "postgres", tmp_path / "state" / "postgres")
        async with daemon_process(tmp_path, sandbox, tables, **more) as daemon:
            await daemon.start()
            yield daemon

    return start


@pytest.fixture
def external_daemon(postgres: PostgresAddress, tmp_path: Path) -> Start:
    """Start a daemon on a PostgreSQL that is there before it and after it."""

    @contextlib.asynccontextmanager
    async def start(
        sandbox: SandboxProcess | None = None,
        tables: Tables | None = None,
        *,
        at_once: bool = True,
        **more: Any,
    ) -> AsyncIterator[DaemonProcess]:
        schema = f"system_{tmp_path.name}"[:60].rstrip("_").lower()
        outside = {"database": {"host": postgres.host, "schema": schema}}
        async with daemon_process(
            tmp_path, sandbox, merged(outside, tables or {}), **more
        ) as daemon:
            daemon.database, daemon.schema = postgres, schema
            if at_once:
                await daemon.start()
            yield daemon

    return start


@pytest.fixture
def post_office(external_daemon: Start, postgres: PostgresAddress) -> PostOffices:
    """Start a daemon that sends reminders: `async with post_office(tables) as office`."""
    return partial(opened, external_daemon, postgres)


@pytest.fixture
async def line(postgres: PostgresAddress) -> AsyncIterator[TcpProxy]:
    """A TCP port through which the PostgreSQL of the session is reached."""
    async with tcp_proxy(Path(postgres.host) / f".s.PGSQL.{postgres.port}") as proxy:
        yield proxy
