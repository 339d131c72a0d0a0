"""Files of the embedded servers: private directories, the lock, sockets, logs."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from syncd.errors import StartError

LOG_BYTES = 10 * 1024 * 1024
# sun_path without its final zero byte: 108 on Linux, 104 elsewhere.
SOCKET_PATH_BYTES = 107 if sys.platform == "linux" else 103
FOREIGN_TEXT = 200


@contextlib.contextmanager
def explained(purpose: str, path: Path) -> Iterator[None]:
    """Turn what the file system refuses into one sentence.

    Raises:
        StartError: `purpose` failed at `path`.
    """
    try:
        yield
    except OSError as error:
        where = error.filename if isinstance(error.filename, str) else path
        raise StartError(
            f"cannot {purpose}: {where}: {error.strerror}",
            hint="set [daemon] state_dir to a directory that this user may write and that has room",
        ) from error


def make_private(path: Path) -> None:
    """Make a directory that only its owner may enter; one that exists is left as it is."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)


def hand_over(path: Path, owner: tuple[int, int]) -> None:
    """Give a directory and all in it to a uid and gid, the top last: safe to repeat when cut off.

    Raises:
        PermissionError: it belongs to somebody else and we are not root.
    """
    if path.stat().st_uid == owner[0]:
        return
    for folder, folders, files in os.walk(path):
        for name in (*folders, *files):
            os.chown(Path(folder, name), *owner, follow_symlinks=False)
    os.chown(path, *owner, follow_symlinks=False)


@contextlib.contextmanager
def locked(path: Path, title: str) -> Iterator[None]:
    """Hold a lock file as long as the context lasts; the kernel frees it when we die.

    Raises:
        StartError: another process holds it; the sentence names its pid.
    """
    with path.open("a+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            holder = file.read(20).decode(errors="replace").strip() or "unknown"
            raise StartError(
                f"cannot start {title}: process {holder} already runs it in {path.parent}",
                hint="stop that process, or give this one a state_dir of its own",
            ) from error
        file.truncate(0)
        file.write(f"{os.getpid()}\n".encode())
        file.flush()
        yield


def socket_directory(state_dir: Path, socket_name: str) -> Path:
    """Return where the sockets go: below `state_dir`, or a short directory if its path is long.

    The same state directory always gets the same answer, so that a server can be found again.
    """
    name = f"syncd-{os.geteuid()}-{hashlib.sha256(os.fsencode(state_dir)).hexdigest()[:16]}"
    # As root the server may have another uid, which cannot enter root's own runtime directory.
    runtime = os.environ.get("XDG_RUNTIME_DIR", "") if os.geteuid() else ""
    bases = (runtime, tempfile.gettempdir(), "/tmp")  # noqa: S108 - a private directory in it
    candidates = (state_dir / "run", *(Path(base, name) for base in bases if base.startswith("/")))
    for candidate in candidates:
        if len(os.fsencode(candidate / socket_name)) <= SOCKET_PATH_BYTES:
            return candidate
    return candidates[-1]


def make_socket_directory(path: Path, state_dir: Path, owner: tuple[int, int]) -> None:
    """Make the directory of the sockets, or check that the one that exists is private.

    Raises:
        StartError: it lies where everybody may write, and somebody else made it.
    """
    with contextlib.suppress(FileExistsError):
        path.mkdir(mode=0o700)
    found = path.lstat()
    is_ours = path.parent == state_dir or found.st_uid in {os.geteuid(), owner[0]}
    if not stat.S_ISDIR(found.st_mode) or not is_ours or stat.S_IMODE(found.st_mode) & 0o077:
        raise StartError(
            f"cannot use {path} for sockets: it is not a directory that only we may enter",
            hint="remove it, or set [daemon] state_dir to a shorter path",
        )
    hand_over(path, owner)


def open_log(path: Path) -> IO[bytes]:
    """Open a server's log to append to it; one that has grown too big starts afresh."""
    file = path.open("ab")
    path.chmod(0o600)
    if file.tell() > LOG_BYTES:
        file.truncate(0)
    return file


def telling_line(text: str) -> str:
    """Return the line that says what went wrong, without date and number, for a message."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    # What comes after the first failure only says what was cleaned up.
    failures = [line for line in lines if re.search(r"FATAL|PANIC|ERROR|error:", line)]
    line = next(iter(failures or lines[-1:]), "it said nothing")
    return re.sub(r"^.*?(?=(FATAL|PANIC|ERROR|LOG): )", "", line)[:FOREIGN_TEXT]


def read_tail(path: Path, start: int) -> str:
    """Return what a log holds from a position on, the last few kilobytes of it."""
    with contextlib.suppress(OSError), path.open("rb") as file:
        file.seek(max(start, path.stat().st_size - 4096))
        return file.read().decode(errors="replace")
    return ""


def read_number(path: Path) -> int | None:
    """Return the number in the first line of a pid file; None if there is none."""
    try:
        return abs(int(path.read_text(encoding="ascii", errors="replace").split("\n", 1)[0]))
    except (OSError, ValueError):
        return None


def remove_leftovers(directory: Path, prefix: str) -> None:
    """Remove the directories that an interrupted start left behind."""
    for path in directory.glob(f"{prefix}*"):
        shutil.rmtree(path, ignore_errors=True)


def move_into_place(source: Path, target: Path) -> None:
    """Rename a finished directory so that it is there after a power cut, whole or not at all."""
    source.rename(target)
    parent = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(parent)
    finally:
        os.close(parent)
