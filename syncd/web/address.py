"""Where a running daemon can be asked: told in a file of its state directory while it lives.

Commands go by it before config.toml, which may be broken or tell of the next start already. It is
believed only while the process that wrote it holds the state directory: a token must not be sent
to whoever came after it.
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
        forget_address(state_dir)


def forget_address(state_dir: Path) -> None:
    """Remove what a daemon that died in this state directory told; call it while holding that."""
    with contextlib.suppress(OSError):
        (state_dir / _NAME).unlink(missing_ok=True)


def find_address(state_dir: Path) -> ControlAddress | None:
    """Return where the daemon that holds a state directory can be asked; None: there is none."""
    try:
        told = json.loads(_read(state_dir / _NAME))
        if not _is_held_by(told["pid"], state_dir):
            return None
        return ControlAddress(
            host=told["host"],
            port=told["port"],
            token_file=Path(told["token_file"]),
            state_dir=state_dir,
            socket=None if told["socket"] is None else Path(told["socket"]),
        )
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _read(path: Path) -> str:
    descriptor = _open_own(path)
    try:
        return os.read(descriptor, _LARGEST).decode()
    finally:
        os.close(descriptor)


def _open_own(path: Path) -> int:
    """Open a file that only its owner can write; raises OSError where others can."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    status = os.fstat(descriptor)
    if status.st_uid != os.geteuid() or status.st_mode & 0o022:
        os.close(descriptor)
        raise PermissionError(f"others can write {path}")
    return descriptor


def _is_held_by(pid: int, state_dir: Path) -> bool:
    """Tell whether this process lives and holds a state directory."""
    handle = _open_own(state_dir / LOCK)
    try:
        if int(os.pread(handle, 20, 0)) != pid:
            return False
        # Before the lock is tried: a daemon that starts now must not find it taken by us.
        os.kill(pid, 0)
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False
