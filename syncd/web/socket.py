"""The control port's second entrance: a Unix socket that only our own user may open."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

from syncd.errors import PortTaken, StartError

_ONLY_US = 0o177
_LONGEST_QUEUE = 100


@contextlib.contextmanager
def bound_socket(path: Path) -> Iterator[socket.socket]:
    """Bind a socket at `path` with mode 0600; its file goes with it.

    A socket that a dead process left there is replaced. Anything else is never removed.

    Raises:
        PortTaken: somebody listens there, or the file is no socket.
        StartError: nothing can be made there (no such directory, path too long).
    """
    _clear(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _bind(listener, path)
        made = path.stat()
        try:
            yield listener
        finally:
            # Another syncd may have put its own there since.
            with contextlib.suppress(OSError):
                if os.path.samestat(made, path.lstat()):
                    path.unlink()
    finally:
        listener.close()


def _bind(listener: socket.socket, path: Path) -> None:
    # Set before the file is there, so that there is no moment at which others could connect.
    before = os.umask(_ONLY_US)
    try:
        listener.bind(str(path))
        listener.listen(_LONGEST_QUEUE)
    except OSError as exc:
        raise StartError(
            f"cannot listen on {path}: {exc.strerror or exc}",
            hint="set [web] socket to a short path in a directory that syncd may write",
        ) from exc
    finally:
        os.umask(before)


def _clear(path: Path) -> None:
    """Remove a socket that nobody listens on."""
    try:
        mode = path.lstat().st_mode
    except OSError:
        return  # nothing there, or a directory that binding will complain about
    if not stat.S_ISSOCK(mode):
        raise PortTaken(
            f"cannot listen on {path}: there is something else than a socket",
            hint="move it away, or set [web] socket to another path",
        )
    if _answers(path):
        raise PortTaken(
            f"cannot listen on {path}: another program listens there",
            hint="stop that program, or set [web] socket to another path",
        )
    path.unlink(missing_ok=True)


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            return False
        except OSError:
            # Busy, or not ours to try: somebody is there.
            return True
    return True
