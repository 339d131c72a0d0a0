"""syncd as it is installed: a config file, a state directory, a process that comes and goes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
from fakes.canary import refuse
from fakes.control_caller import TRANSIENT, ControlCaller
from fakes.daemon_config import Tables, merged, to_toml, usual_tables
from fakes.processes import processes_of
from fakes.sandbox_process import SandboxProcess
from fakes.waiting import DEADLINE_SECONDS, until

from syncd.clock import SystemClock
from syncd.embedded.postgres import EmbeddedPostgres
from syncd.telemetry.bus import Bus

PYTHON = (sys.executable, "-W", "error")
KEPT_VARIABLES = ("PATH", "PYTHONPATH")
LONGEST_LINE = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a command ended with and wrote."""

    code: int
    out: str
    err: str


class DaemonProcess(ControlCaller):
    """One syncd: configure it, start it, kill it, start it again.

    `lines` are the log lines of all its starts, `noise` what else stood on standard output.
    `database` and `schema` are where its tables are; the embedded server's unless changed.

    Args:
        folder: holds everything; no process that knows its name may be left in the end.
        tables: go over the usual ones.
        prefix: the command before Python, such as faketime.
        python: Python and its options.
        environ: variables besides the few that every process gets.
    """

    def __init__(
        self,
        folder: Path,
        tables: Tables,
        *,
        prefix: tuple[str, ...] = (),
        python: tuple[str, ...] = PYTHON,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__()
        self.folder = folder
        self.config = folder / "config.toml"
        self.state_dir = folder / "state"
        self.lines: list[dict[str, Any]] = []
        self.noise: list[str] = []
        self._tables = usual_tables()
        self._syncd = (*prefix, *python, "-m", "syncd", "--config", str(self.config))
        kept = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
        self._environ = {"LC_ALL": "C.UTF-8", **kept, **(environ or {})}
        self._process: Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self.database = EmbeddedPostgres(self.state_dir, Bus(), SystemClock()).address
        self.schema = "syncd"
        self.configure(tables)

    @property
    def listen(self) -> str:
        return str(self._tables["web"]["listen"])

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def token(self) -> str:
        return (self.state_dir / "token").read_text().strip()

    def configure(self, tables: Tables) -> None:
        """Change tables of config.toml; the next start reads it."""
        self._tables = merged(self._tables, tables)
        self.config.write_text(to_toml(self._tables))
        self.config.chmod(0o600)

    async def start(self, *, ready: bool = True, until_answers: str = "") -> None:
        """Start the daemon and wait until it is ready, or at least answers (that address)."""
        with (self.folder / "stderr.log").open("ab") as errors:
            self._process = await asyncio.create_subprocess_exec(
                *(*self._syncd, "run", "--debug"),
                cwd=self.folder,
                env=self._environ,
                stdout=PIPE,
                stderr=errors,
                limit=LONGEST_LINE,
            )
        self._reader = asyncio.create_task(self._read(self._process))
        path = until_answers or ("/ready" if ready else "/live")
        await until(lambda: self._answers(path), what=f"{path} of {self.folder}")

    async def _answers(self, path: str) -> bool:
        assert self._process is not None
        if self._process.returncode is not None:
            raise AssertionError(f"syncd ended ({self._process.returncode}): {self.errors()}")
        try:
            return (await self.api("GET", path, token=None)).status == 200
        except TRANSIENT:
            return False

    async def _read(self, process: Process) -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            with (self.folder / "stdout.log").open("ab") as copy:
                copy.write(line)
            try:
                self.lines.append(json.loads(line))
            except ValueError:
                self.noise.append(line.decode(errors="replace"))

    def errors(self) -> str:
        """Return what every start wrote to standard error."""
        path = self.folder / "stderr.log"
        return path.read_text() if path.exists() else ""

    def kill(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    async def ended(self, seconds: float = DEADLINE_SECONDS) -> int:
        """Return the exit code once the daemon has ended and all it said was read."""
        assert self._process is not None
        assert self._reader is not None
        async with asyncio.timeout(seconds):
            await self._process.wait()
            await self._reader
        return self._process.returncode or 0

    async def stop(self) -> int:
        """Ask the daemon to end as systemd does, and return its exit code."""
        self.kill(signal.SIGTERM)
        return await self.ended()

    async def restart(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End the daemon with a signal and start it again at once."""
        self.kill(number)
        await self.ended()
        await self.start()

    async def fetch(self, sql: str, *values: Any) -> list[asyncpg.Record]:
        """Ask PostgreSQL behind the daemon's back."""
        address = self.database
        connection = await asyncpg.connect(
            host=address.host,
            port=address.port,
            user=address.user,
            database=address.database,
            server_settings={"search_path": self.schema},
        )
        try:
            return await connection.fetch(sql, *values)
        finally:
            await connection.close()

    @contextlib.asynccontextmanager
    async def database_up(self) -> AsyncIterator[None]:
        """Let a database that ended with its daemon be asked once more."""
        own = EmbeddedPostgres(self.state_dir, Bus(), SystemClock())
        if self.database != own.address:
            yield
            return
        async with own:
            yield

    def said(self, event: str, **keys: Any) -> list[dict[str, Any]]:
        """Return the log lines of an event whose keys have these values."""
        wanted = {"event": event, **keys}
        return [line for line in self.lines if wanted.items() <= line.items()]

    async def told(self, event: str, **keys: Any) -> dict[str, Any]:
        """Return the first such log line, once it is there."""

        async def look() -> list[dict[str, Any]]:
            return self.said(event, **keys)

        return (await until(look, what=f"the log line {event} {keys}"))[0]

    async def begin(
        self, *words: str, streams: tuple[int, int, int] = (DEVNULL, PIPE, PIPE), **environ: str
    ) -> Process:
        """Start a command of syncd; `streams` are its input, output and errors."""
        given, told, errors = streams
        return await asyncio.create_subprocess_exec(
            *(*self._syncd, *words),
            cwd=self.folder,
            env=self._environ | environ,
            stdin=given,
            stdout=told,
            stderr=errors,
        )

    async def command(self, *words: str, **environ: str) -> Said:
        """Run a command of syncd to its end."""
        return await said_by(await self.begin(*words, **environ))

    async def close(self) -> None:
        """Make sure that nothing of it runs any more."""
        await self.hang_up()
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()
            await self.ended()

        async def is_gone() -> bool:
            return not processes_of(self.folder)

        await until(is_gone, what=f"the processes of {self.folder}")


async def said_by(process: Process) -> Said:
    """Return what a command said, once it has ended."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        out, err = await process.communicate()
    refuse("what a command said", (out or b"") + (err or b""))
    return Said(code=process.returncode or 0, out=out.decode(), err=err.decode())


Start = Callable[..., contextlib.AbstractAsyncContextManager[DaemonProcess]]
"""A fixture that starts daemons: `async with start(sandbox, tables) as daemon`."""


@contextlib.asynccontextmanager
async def daemon_process(
    folder: Path,
    sandbox: SandboxProcess | None = None,
    tables: Tables | None = None,
    **more: Any,
) -> AsyncIterator[DaemonProcess]:
    """Configure a syncd that asks `sandbox`; stop it in the end, and all that belongs to it."""
    asks = {} if sandbox is None else {"platforms.github": {"base_url": sandbox.base_url}}
    daemon = DaemonProcess(folder, merged(asks, tables or {}), **more)
    try:
        yield daemon
    finally:
        await daemon.close()
