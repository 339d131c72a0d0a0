"""One syncd per state directory."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from syncd.errors import SecondInstance, StartError


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
        handle = os.open(state_dir / "syncd.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
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
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(handle)
