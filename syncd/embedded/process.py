"""Processes: spawn one through `child`, run one to its end, watch one that was there before."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from syncd.clock import Clock
from syncd.embedded import child

# Nothing of ours is inherited: no secrets, no locale a server could choke on, no PG* variables.
ENVIRONMENT = {"LC_ALL": "C", "PATH": os.defpath, "TZ": "UTC"}
POLL_SECONDS = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A program to execute.

    Args:
        identity: whom it runs as, in the words of `child`.
        directory: where it runs.
        death_signal: what the kernel sends it when we die.
    """

    program: Path
    arguments: tuple[str, ...]
    identity: str
    directory: Path
    death_signal: signal.Signals = signal.SIGTERM


class ServerProcess(Protocol):
    """A server's process, ours or adopted."""

    @property
    def pid(self) -> int:
        """The number signals go to."""

    @property
    def has_ended(self) -> bool:
        """Tell whether it is gone."""

    def send(self, number: signal.Signals) -> None:
        """Send a signal; nothing happens when it is gone."""

    async def wait(self) -> int | None:
        """Return its exit code (negative: the signal) once it ended; None if nobody knows."""


class OwnProcess:
    """A process we started."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        """The number signals go to."""
        return self._process.pid

    @property
    def has_ended(self) -> bool:
        """Tell whether it is gone."""
        return self._process.returncode is not None

    def send(self, number: signal.Signals) -> None:
        """Send a signal; nothing happens when it is gone."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)

    async def wait(self) -> int:
        """Return its exit code once it ended."""
        return await self._process.wait()


class AdoptedProcess:
    """A server that a dead daemon left behind; known by what stands in its command line."""

    def __init__(self, pid: int, marker: tuple[str, str], clock: Clock) -> None:
        self._pid = pid
        self._marker = marker
        self._clock = clock

    @property
    def pid(self) -> int:
        """The number signals go to."""
        return self._pid

    @property
    def has_ended(self) -> bool:
        """Tell whether it is gone."""
        return not serves(self._pid, self._marker)

    def send(self, number: signal.Signals) -> None:
        """Send a signal; nothing happens when it is gone."""
        with contextlib.suppress(ProcessLookupError):
            if not self.has_ended:
                os.kill(self._pid, number)

    async def wait(self) -> None:
        """Return once it ended; only its parent is told an exit code."""
        while not self.has_ended:
            await self._clock.sleep(POLL_SECONDS)


async def spawn(command: Command, output: IO[bytes]) -> OwnProcess:
    """Start a server whose output goes to `output`, an open file.

    Call it on the main thread: the kernel's death signal is bound to the thread that forked, and
    comes when that thread ends, not when the process does.
    """
    return OwnProcess(await _execute(command, asyncio.subprocess.DEVNULL, output))


async def run(command: Command, text: str = "", *, limit_seconds: float) -> tuple[int, str]:
    """Run a program to its end, `text` on its standard input; return its code and output.

    Raises:
        TimeoutError: it did not end within the limit; it was killed.
    """
    # A file, not a pipe: a program may end before it has read what is written for it.
    with tempfile.TemporaryFile() as source:
        source.write(text.encode())
        source.seek(0)
        process = await _execute(command, source, asyncio.subprocess.PIPE)
    try:
        async with asyncio.timeout(limit_seconds):
            output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()
    return process.returncode or 0, output.decode(errors="replace")


def is_alive(pid: int) -> bool:
    """Tell whether any process has this number."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def serves(pid: int, marker: tuple[str, str]) -> bool:
    """Tell whether a living process has the two arguments of `marker` in its command line.

    A pid file outlives its process, and numbers are used again: the number alone says nothing.
    """
    if sys.platform != "linux":
        return _serves_elsewhere(pid, marker)
    try:
        line = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
    return b"\0" + b"\0".join(os.fsencode(word) for word in marker) + b"\0" in line


def _serves_elsewhere(pid: int, marker: tuple[str, str]) -> bool:
    answer = subprocess.run(  # noqa: S603 - fixed program, a number as its argument
        ["/bin/ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, check=False
    )
    return os.fsencode(" ".join(marker)) in answer.stdout


async def _execute(
    command: Command, source: int | IO[bytes], output: int | IO[bytes]
) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        # Isolated and without site: nothing but the standard library is looked at.
        "-IS",
        child.__file__,
        str(os.getpid()),
        str(int(command.death_signal)),
        command.identity,
        str(command.directory),
        str(command.program),
        *command.arguments,
        stdin=source,
        stdout=output,
        stderr=asyncio.subprocess.STDOUT,
        env=ENVIRONMENT,
        cwd="/",
    )
