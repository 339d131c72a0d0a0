"""The life that both embedded servers share: claim, prepare, adopt or start, watch, stop."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from syncd.clock import Clock
from syncd.embedded import directory
from syncd.embedded.binaries import Binaries
from syncd.embedded.identity import Footing, settle
from syncd.embedded.process import AdoptedProcess, Command, ServerProcess, serves, spawn
from syncd.errors import StartError, SyncdError
from syncd.telemetry.bus import Bus
from syncd.telemetry.events import ServerDied, ServerStarted, ServerStopped

# Crash recovery replays the log for as long as it takes; only a server that hangs is given up.
READY_SECONDS = 300.0
ANSWER_SECONDS = 2.0
# A server whose daemon was killed got its signal at once: one that still answers now will stay.
FAREWELL_SECONDS = 1.0
SHORTEST_PAUSE = 0.02
LONGEST_PAUSE = 0.5
SHORTEST_DELAY = 0.5
LONGEST_DELAY = 30.0
START_ATTEMPTS = 3
KILL_SECONDS = 5.0


class EmbeddedServer(ABC):
    """A server of our own, running as long as the context lasts.

    Entering raises StartError or ConfigError, one sentence each. A server that ends by itself is
    started again, after 0.5 s at first and 30 s at most, for as long as it takes.

    Args:
        state_dir: holds data, log and lock; made if it is not there.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    socket_name: ClassVar[str]
    death_signal: ClassVar[signal.Signals]
    stop_steps: ClassVar[tuple[tuple[signal.Signals, float], ...]]

    def __init__(self, state_dir: Path, bus: Bus, clock: Clock) -> None:
        self._state_dir = state_dir.absolute()
        self._bus = bus
        self._clock = clock
        self.data = self._state_dir / self.name
        self.log = self._state_dir / f"{self.name}.log"
        self.sockets = directory.socket_directory(self._state_dir, self.socket_name)
        self._process: ServerProcess | None = None
        self._life = contextlib.AsyncExitStack()

    @abstractmethod
    def find(self) -> Binaries:
        """Find the programs.

        Raises:
            ConfigError: they are not installed.
        """

    @abstractmethod
    async def prepare(self, footing: Footing) -> None:
        """Make the data directory ready to be served.

        Raises:
            StartError: it cannot be.
        """

    @abstractmethod
    def arguments(self) -> tuple[str, ...]:
        """Return the server's command line after the program."""

    @property
    @abstractmethod
    def marker(self) -> tuple[str, str]:
        """Two neighbouring arguments by which a process is known to serve our data."""

    @property
    @abstractmethod
    def pid_file(self) -> Path:
        """The file in which the server writes its pid."""

    @abstractmethod
    def forget_stranger(self) -> None:
        """Remove what keeps the server from starting because of a number that is in use again."""

    @abstractmethod
    async def answers(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Ask the server, freshly connected, whether it serves clients."""

    async def __aenter__(self) -> Self:
        """Return once the server accepts connections."""
        async with contextlib.AsyncExitStack() as life:
            with directory.explained(f"start {self.title}", self._state_dir):
                directory.make_private(self._state_dir)
                lock = self._state_dir / f"{self.name}.lock"
                life.enter_context(directory.locked(lock, self.title))
                life.push_async_callback(self._stop)
                footing = await settle(self.title, self.find(), self._state_dir)
                await asyncio.to_thread(self._make_directories, footing.identity.owner)
                await self.prepare(footing)
                await self._obtain_patiently(footing)
            group = await asyncio.TaskGroup().__aenter__()
            # Without the body's exception, which the group would wrap into one of its own.
            life.push_async_callback(group.__aexit__, None, None, None)
            watch = group.create_task(self._watch(footing), name=f"watch {self.name}")
            life.callback(watch.cancel)
            self._life = life.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop the server and free its directory."""
        await self._life.aclose()

    def _make_directories(self, owner: tuple[int, int]) -> None:
        if self.data.exists():
            directory.hand_over(self.data, owner)
        directory.make_socket_directory(self.sockets, self._state_dir, owner)

    async def _obtain_patiently(self, footing: Footing) -> None:
        """Start the server; again if it ended at once.

        After a kill of everything, the last processes of the old server may outlive it a moment.
        """
        for attempt in range(1, START_ATTEMPTS):
            try:
                return await self._obtain(footing)
            except StartError:
                if self._process is None or not self._process.has_ended:
                    raise
                await self._clock.sleep(SHORTEST_DELAY * attempt)
        return await self._obtain(footing)

    async def _obtain(self, footing: Footing) -> None:
        """Adopt the server that serves our data, or start one."""
        began = self._clock.monotonic()
        adopted = await self._adopt()
        process = adopted or await self._start(footing)
        self._process = process
        took = self._clock.monotonic() - began
        self._bus.emit(
            ServerStarted(
                server=self.name,
                pid=process.pid,
                adopted=adopted is not None,
                duration_seconds=took,
            )
        )

    async def _adopt(self) -> ServerProcess | None:
        """Take in the server of a dead daemon, or wait until it is gone."""
        pid = directory.read_number(self.pid_file)
        if pid is None or not serves(pid, self.marker):
            self.forget_stranger()
            return None
        process = AdoptedProcess(pid, self.marker, self._clock)
        began = self._clock.monotonic()
        while not process.has_ended:
            waited = self._clock.monotonic() - began
            if waited > FAREWELL_SECONDS and await self._is_ready():
                return process
            if waited > READY_SECONDS:
                raise StartError(
                    f"cannot start {self.title}: process {pid} of an earlier start neither serves"
                    f" nor ends in {self.data}",
                    hint=f"look into {self.log}, then end that process",
                )
            await self._clock.sleep(0.05)
        return None

    async def _start(self, footing: Footing) -> ServerProcess:
        command = Command(
            program=footing.binaries.program,
            arguments=self.arguments(),
            identity=footing.identity.word,
            directory=self.data,
            death_signal=self.death_signal,
        )
        with directory.open_log(self.log) as log:
            told = log.tell()
            process = self._process = await spawn(command, log)
        began = self._clock.monotonic()
        pause = SHORTEST_PAUSE
        while not await self._is_ready():
            waited = self._clock.monotonic() - began
            if process.has_ended or waited > READY_SECONDS:
                said = directory.telling_line(directory.read_tail(self.log, told))
                raise StartError(
                    f"cannot start {self.title} in {self.data}, after {waited:.1f} s: {said}",
                    hint=f"the whole story stands in {self.log}",
                )
            await self._clock.sleep(pause)
            # The server logs every refusal while it recovers.
            pause = min(LONGEST_PAUSE, pause * 1.5)
        return process

    async def _is_ready(self) -> bool:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                reader, writer = await asyncio.open_unix_connection(self.sockets / self.socket_name)
                try:
                    return await self.answers(reader, writer)
                finally:
                    writer.close()
        except (OSError, EOFError):
            return False

    async def _watch(self, footing: Footing) -> None:
        """Start the server again whenever it ends; one event when it dies, one when it is back."""
        delay = 0.0
        while self._process is not None:
            began = self._clock.monotonic()
            exit_code = await self._process.wait()
            lived = self._clock.monotonic() - began
            delay = SHORTEST_DELAY if lived > LONGEST_DELAY else longer(delay)
            self._bus.emit(ServerDied(server=self.name, exit_code=exit_code, retry_seconds=delay))
            await self._revive(footing, delay)

    async def _revive(self, footing: Footing, delay: float) -> None:
        while True:
            await self._clock.sleep(delay)
            try:
                return await self._obtain(footing)
            except (SyncdError, OSError):
                # The reason stands in the server's log; a full disk may be empty again next time.
                await self._end()
                delay = longer(delay)

    async def _stop(self) -> None:
        began = self._clock.monotonic()
        if await self._end():
            took = self._clock.monotonic() - began
            self._bus.emit(ServerStopped(server=self.name, duration_seconds=took))

    async def _end(self) -> bool:
        """End the process, ever more firmly; tell whether it still ran."""
        process = self._process
        if process is None or process.has_ended:
            return False
        for number, limit in (*self.stop_steps, (signal.SIGKILL, KILL_SECONDS)):
            process.send(number)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(limit):
                    await process.wait()
                    break
        return True


def longer(delay: float) -> float:
    """Return the wait after a wait that did not help; the first for 0."""
    return min(LONGEST_DELAY, max(SHORTEST_DELAY, delay * 2))
