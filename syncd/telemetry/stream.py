"""Writing to a descriptor that somebody else reads: a terminal, a pipe, the journal's socket."""

from __future__ import annotations

import errno
import os
import select

_PATIENCE_MS = 20


class Stream:
    """Write whole lines, at once, and never wait long for a reader that has stopped reading.

    A reader that does not make room within 20 ms costs that line; as long as it stays stuck, the
    following lines are refused without waiting at all. Making the descriptor non-blocking instead
    would change it for every process that shares it (a terminal, a shell's pipe). Lines up to
    PIPE_BUF (4 KiB) leave in one write; longer ones in several, so that none can block.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._room = select.poll()
        self._room.register(descriptor, select.POLLOUT)
        self._patience_ms = _PATIENCE_MS
        self._is_cut = False

    def write(self, line: bytes) -> None:
        """Write a line that ends with a line feed.

        Raises:
            OSError: it could not be written whole; the next one begins on a line of its own.
        """
        rest = memoryview(b"\n" + line if self._is_cut else line)
        was_cut, whole = self._is_cut, len(rest)
        try:
            while rest:
                self._wait_for_room()
                rest = rest[os.write(self._descriptor, rest[: select.PIPE_BUF]) :]
        finally:
            self._is_cut = 0 < len(rest) < whole or (was_cut and len(rest) == whole)

    def _wait_for_room(self) -> None:
        if not self._room.poll(self._patience_ms):
            self._patience_ms = 0
            raise BlockingIOError(errno.EAGAIN, "nobody reads what is written")
        self._patience_ms = _PATIENCE_MS
