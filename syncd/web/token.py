"""The control token: made at first start, kept in a file that only its owner can read."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from pathlib import Path

from syncd.errors import StartError

SHORTEST = 32
LARGEST_FILE = 4096


def load_or_create_token(path: Path) -> str:
    """Return the token in `path`; without such a file, make one of 32 random bytes first.

    Safe to be killed at any point and repeated: the file appears complete or not at all.

    Raises:
        StartError: the file cannot be made, or `read_token` refuses it.
    """
    if not os.path.lexists(path):
        try:
            _create(path)
        except OSError as exc:
            raise StartError(
                f"cannot make the token file {path}: {exc.strerror}",
                hint=f"make {path.parent} writable for the user syncd runs as",
            ) from exc
    return read_token(path)


def read_token(path: Path) -> str:
    """Return the token in `path`.

    Raises:
        StartError: the file cannot be read, others can read it, it belongs to somebody else, or
            what it holds is too short to be a token.
    """
    try:
        # A link could lead to a file that others write.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as exc:
        raise StartError(
            f"cannot read the token file {path}: {exc.strerror}",
            hint="point [web] token_file at a plain file that the user syncd runs as can read",
        ) from exc
    try:
        _check_owner(path, os.fstat(descriptor))
        return _checked(path, os.read(descriptor, LARGEST_FILE))
    finally:
        os.close(descriptor)


def _create(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(32) + "\n")
            file.flush()
            os.fsync(descriptor)
        # A link never replaces: whoever was first wins, and the others read that one.
        with contextlib.suppress(FileExistsError):
            os.link(fresh, path)
    finally:
        fresh.unlink()


def _check_owner(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise StartError(f"the token file {path} is not a plain file", hint=f"remove {path}")
    if status.st_uid != os.geteuid():
        raise StartError(
            f"the token file {path} belongs to user {status.st_uid}, not to us",
            hint=f"chown it to user {os.geteuid()} and chmod 600 {path}",
        )
    if status.st_mode & 0o077:
        raise StartError(
            f"the token file {path} can be read by others (mode {status.st_mode & 0o777:04o})",
            hint=f"chmod 600 {path}, and remove it if others may have read it",
        )


def _checked(path: Path, content: bytes) -> str:
    token = content.decode("ascii", "replace").strip()
    if len(token) < SHORTEST or not token.isascii() or len(token.split()) != 1:
        raise StartError(
            f"the token file {path} holds no token of at least {SHORTEST} characters",
            hint=f"remove {path}: a new one is made at the next start",
        )
    return token
