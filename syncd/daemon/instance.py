"""One syncd per state directory."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from syncd.daemon.leadership import Leadership
from syncd.errors import SecondInstance, StartError
from syncd.web.address import LOCK, forget_address

_INSTANCE = "instance"


@contextlib.contextmanager
def only_instance(state_dir: Path) -> Iterator[None]:
    """Hold the state directory (made 0700 where it is missing) as long as the context lasts.

    The lock is the kernel's: it ends with the process, however that ends.

    Raises:
        SecondInstance: another syncd holds it; the message names its pid.
        StartError: the directory cannot be made or written.
    """
    try:
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(state_dir / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StartError(
            f"cannot write the state directory {state_dir}: {error.strerror}",
            hint="set [daemon] state_dir to a directory this user may write",
        ) from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            pid = os.pread(handle, 20, 0).decode("ascii", "replace").strip() or "unknown"
            raise SecondInstance(
                f"another syncd (pid {pid}) uses the state directory {state_dir}",
                hint="stop it, or give this one a [daemon] state_dir and [web] listen of its own",
            ) from error
        # Before our pid is written: in a container it may be the one that the last process had.
        forget_address(state_dir)
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(handle)


def introduce(leadership: Leadership, state_dir: Path, listen: str = "") -> None:
    """Tell by which name a held state directory leads, and where its control port is.

    Raises:
        StartError: the name cannot be read or written.
    """
    instance = read_instance(state_dir)
    leadership.candidate = replace(leadership.candidate, instance=instance, listen=listen)
    leadership.renew_instance = partial(make_instance, state_dir)


def read_instance(state_dir: Path) -> str:
    """Return the name of a state directory that this process holds; made at the first call.

    Whoever had the name before is dead: the kernel's lock says so.

    Raises:
        StartError: it cannot be read or written.
    """
    path = state_dir / _INSTANCE
    try:
        found = path.read_text("ascii").strip() if path.exists() else ""
    except (OSError, ValueError) as error:
        raise StartError(
            f"cannot read {path}: {error}", hint="remove it, or mend its mode"
        ) from error
    return found or make_instance(state_dir)


def make_instance(state_dir: Path) -> str:
    """Give a state directory a new name and return it."""
    path, name = state_dir / _INSTANCE, secrets.token_hex(16)
    try:
        path.write_text(f"{name}\n", "ascii")
    except OSError as error:
        raise StartError(
            f"cannot write {path}: {error.strerror}",
            hint="set [daemon] state_dir to a directory this user may write",
        ) from error
    return name
