"""Where a running daemon can be asked: told in a file of its state directory while it lives.

Commands read it when config.toml does not tell any more. It is believed only while the process
that wrote it holds the state directory: a token must not be sent to whoever came after it.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path

from syncd.config.control import ControlAddress
from syncd.errors import StartError

LOCK = "syncd.lock"
"""Held with `flock` as long as a daemon lives; holds its pid."""

_NAME = "control.json"
_LARGEST = 8192


@contextlib.contextmanager
def address_told(state_dir: Path, address: ControlAddress) -> Iterator[None]:
    """Tell where a daemon can be asked as long as the context lasts.

    Raises:
        StartError: the state directory cannot be written.
    """
    path, fresh = state_dir / _NAME, state_dir / f".{_NAME}"
    told = {
        "pid": os.getpid(),
        "host": address.host,
        "port": address.port,
        "socket": None if address.socket is None else str(address.socket),
        "token_file": str(address.token_file),
    }
    try:
        fresh.unlink(missing_ok=True)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(told, file)
        fresh.replace(path)
    except OSError as error:
        raise StartError(
            f"cannot write {path}: {error.strerror}",
            hint="set [daemon] state_dir to a directory this user may write",
        ) from error
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


def find_address(state_dir: Path) -> ControlAddress | None:
    """Return where the daemon that holds a state directory can be asked; None: there is none."""
    try:
        told = json.loads(_read(state_dir / _NAME))
        if told["pid"] != _holder(state_dir):
            return None
        return ControlAddress(
            host=told["host"],
            port=told["port"],
            token_file=Path(told["token_file"]),
            socket=None if told["socket"] is None else Path(told["socket"]),
        )
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _read(path: Path) -> str:
    """Read a file that only its owner can write; raises OSError where others can."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        status = os.fstat(descriptor)
        if status.st_uid != os.geteuid() or status.st_mode & 0o022:
            raise PermissionError(f"others can write {path}")
        return os.read(descriptor, _LARGEST).decode()
    finally:
        os.close(descriptor)


def _holder(state_dir: Path) -> int | None:
    """Return which process holds a state directory; None: nobody does."""
    handle = os.open(state_dir / LOCK, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return int(os.pread(handle, 20, 0))
    finally:
        os.close(handle)
    return None
