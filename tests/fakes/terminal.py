"""A terminal with somebody who types, around a command."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import struct
import termios
from asyncio.subprocess import Process
from collections.abc import Mapping
from typing import Any, Protocol

from fakes.daemon_process import Said
from fakes.waiting import DEADLINE_SECONDS

_SIZE = struct.pack("HHHH", 40, 120, 0, 0)


class Host(Protocol):
    """Whose commands are run: a daemon, or what stands in for one."""

    async def begin(self, *words: str, streams: tuple[int, int, int], **environ: Any) -> Process:
        """Start a command with these as its input, output and errors."""


async def on_terminal(daemon: Host, *words: str, typed: Mapping[str, str] | None = None) -> Said:
    """Run a command of syncd on a terminal of 120 columns; `out` is everything drawn on it.

    `typed` says what is typed, with Enter, when a text has appeared.
    """
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, _SIZE)
    process = await daemon.begin(*words, streams=(theirs, theirs, theirs), TERM="xterm")
    os.close(theirs)
    screen = _Screen(ours, dict(typed or {}))
    asyncio.get_running_loop().add_reader(ours, screen.read)
    try:
        async with asyncio.timeout(DEADLINE_SECONDS):
            code = await process.wait()
        screen.read()
    finally:
        asyncio.get_running_loop().remove_reader(ours)
        os.close(ours)
    return Said(code=code, out=screen.text, err="")


class _Screen:
    def __init__(self, terminal: int, typed: dict[str, str]) -> None:
        os.set_blocking(terminal, False)
        self._terminal = terminal
        self._typed = typed
        self.text = ""

    def read(self) -> None:
        # EIO: the other side has hung up, and everything was read.
        with contextlib.suppress(BlockingIOError, OSError):
            while told := os.read(self._terminal, 65_536):
                self.text += told.decode(errors="replace")
        for text in [text for text in self._typed if text in self.text]:
            os.write(self._terminal, f"{self._typed.pop(text)}\n".encode())
