"""The real thing: one embedded PostgreSQL a session (and worker), one schema a test at a time."""

from __future__ import annotations

import asyncio
import tempfile
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from fakes.canary import refuse_in_files
from fakes.schemas import Schemas

from syncd.clock import SystemClock
from syncd.embedded.postgres import EmbeddedPostgres
from syncd.model.address import PostgresAddress
from syncd.store.database import Database
from syncd.store.pool import DatabaseSettings
from syncd.telemetry.bus import Bus


class _Host(threading.Thread):
    """Keeps the server in a loop of its own, so that no test's loop owns it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(name="embedded postgres", daemon=True)
        self._folder = folder
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._release = asyncio.Event()
        self.address: PostgresAddress | None = None
        self.error: BaseException | None = None

    def run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            try:
                runner.run(self._hold())
            except BaseException as error:
                self.error = error
                self._ready.set()

    async def _hold(self) -> None:
        async with EmbeddedPostgres(self._folder, Bus(), SystemClock()) as server:
            await _never_mind_the_disk(server.address)
            self.address = server.address
            self._ready.set()
            await self._release.wait()

    def wait_ready(self) -> PostgresAddress:
        self._ready.wait(60)
        if self.error is not None:
            raise self.error
        assert self.address is not None
        return self.address

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._release.set)
        self.join(30)


# What a test stores need not survive a power failure. The log keeps what was stored and is gone, so
# that it is searched in the end.
SETTINGS = {
    **dict.fromkeys(("fsync", "synchronous_commit", "full_page_writes"), "off"),
    "max_wal_size": "'8GB'",
    "checkpoint_timeout": "'1h'",
    # Tables that were emptied for the next test are not looked at while they are empty: a plan for
    # nobody takes forever over twenty thousand.
    "autovacuum_analyze_threshold": "1000000000",
}


async def _never_mind_the_disk(address: PostgresAddress) -> None:
    """Let nothing wait for the disk."""
    async with (
        Database(DatabaseSettings(address=address), SystemClock()) as database,
        database.connection() as connection,
    ):
        for name, value in SETTINGS.items():
            await connection.execute(f"ALTER SYSTEM SET {name} = {value}")
        await connection.execute("SELECT pg_reload_conf()")


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresAddress]:
    with tempfile.TemporaryDirectory(prefix="syncd-pg-") as folder:
        host = _Host(Path(folder))
        host.start()
        yield host.wait_ready()
        host.stop()
        refuse_in_files(Path(folder))


@pytest.fixture(scope="session")
def schemas(postgres: PostgresAddress) -> Schemas:
    return Schemas(postgres)


@pytest.fixture
async def database(schemas: Schemas) -> AsyncIterator[Database]:
    """A migrated schema of the test's own."""
    async with Database(await schemas.lend(), SystemClock()) as database:
        yield database
