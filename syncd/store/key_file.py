"""The key file as we write it: made where it is missing, a key added, never half of one."""

from __future__ import annotations

import contextlib
import os
import secrets
import threading
from collections.abc import Iterator
from pathlib import Path

from syncd.config.keyring import KEY_BYTES, KeyRing, key_line, read_key_ring
from syncd.errors import KeysUnfit

TOKENS_HEAD = (
    "# The keys that seal users' tokens in syncd's database; the last one is used for new ones.\n"
    "# Keep a copy apart from the database's: without the keys every user must grant access anew.\n"
)


class KeyFile:
    """The key ring in its file. Every method reads or writes it: call them beside the loop.

    Args:
        path: the file.
        section: the table of config.toml that names it.
        head: what it begins with where we make it.
    """

    def __init__(self, path: Path, *, section: str = "tokens", head: str = TOKENS_HEAD) -> None:
        self.path = path
        self._section = section
        self._head = head
        # A thread goes on when whoever waits for it is cancelled.
        self._turn = threading.Lock()

    def read(self) -> KeyRing | None:
        """Return the key ring, None where there is no file.

        Raises:
            KeysUnfit: the file cannot be used.
        """
        try:
            return read_key_ring(self.path)
        except ValueError as error:
            raise KeysUnfit(
                str(error),
                hint=f"[{self._section}] key_file names it; `syncd check` looks at it again",
            ) from None

    def make(self) -> KeyRing:
        """Make the file with its first key, unless somebody was faster; return what it holds.

        Raises:
            KeysUnfit: it cannot be made, or the one that is there cannot be used.
        """
        try:
            with (
                self._fresh(self._head + _new_key()) as fresh,
                contextlib.suppress(FileExistsError),
            ):
                # A link never replaces: whoever was first wins, and the others read that one.
                os.link(fresh, self.path)
        except OSError as error:
            raise KeysUnfit(
                f"cannot make the key file {self.path}: {error.strerror}",
                hint=f"make {self.path.parent} writable for the user syncd runs as",
            ) from error
        ring = self.read()
        assert ring is not None
        return ring

    def add(self) -> KeyRing:
        """Add a key, which is the newest from then on; killed midway, the file is as it was.

        Raises:
            KeysUnfit: the file is not ours to write, or cannot be used.
        """
        with self._turn:
            self._append()
        ring = self.read()
        assert ring is not None
        return ring

    def _append(self) -> None:
        self.read()
        try:
            text = self.path.read_text("ascii").rstrip("\n") + "\n"
            if not os.access(self.path, os.W_OK):
                raise PermissionError(0, "it is not ours to write")
            with self._fresh(text + _new_key()) as fresh:
                fresh.replace(self.path)
        except OSError as error:
            raise KeysUnfit(
                f"cannot add a key to {self.path}: {error.strerror}",
                hint="add a line there, an id and what `openssl rand -base64 32` makes, "
                "let syncd see it, and rotate again",
            ) from error

    @contextlib.contextmanager
    def _fresh(self, text: str) -> Iterator[Path]:
        """Write a file beside ours that nobody else can read, and have it on disk."""
        path = self.path.with_name(f".{self.path.name}.{secrets.token_hex(8)}")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        descriptor = os.open(path, flags, 0o600)
        try:
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(text)
                file.flush()
                os.fsync(descriptor)
            yield path
        finally:
            path.unlink(missing_ok=True)
        folder = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _new_key() -> str:
    return key_line(f"k-{secrets.token_hex(4)}", secrets.token_bytes(KEY_BYTES))
