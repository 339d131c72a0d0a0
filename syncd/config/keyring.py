"""The key ring: the keys that seal users' tokens, in a file of their own.

A line is `KEY_ID BASE64`, the key being 32 random bytes; `#` begins a comment. The last key is the
newest and seals, the others only open what they sealed.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

KEY_BYTES = 32
DEFAULT_NAME = "token-keys"

_KEY_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_LARGEST_FILE = 64 * 1024
_FORM = "KEY_ID and a key, which `openssl rand -base64 32` makes"
HOW_TO_MAKE = "a line of an id and what `openssl rand -base64 32` makes, mode 600"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRing:
    """Keys by their ids, the newest last; there is one at least."""

    keys: Mapping[str, bytes] = field(repr=False)

    @property
    def newest(self) -> str:
        """Return the id of the key that seals."""
        return next(reversed(list(self.keys)))


def read_key_ring(path: Path) -> KeyRing | None:
    """Read a key file; None where there is none.

    Raises:
        ValueError: it cannot be used, in one sentence with the mend; nothing of a key is in it.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not a file name"
        raise ValueError(f"{path} cannot be read: {reason}") from None
    try:
        _check_rights(path, os.fstat(descriptor))
        raw = os.read(descriptor, _LARGEST_FILE + 1)
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from None
    finally:
        os.close(descriptor)
    if len(raw) > _LARGEST_FILE:
        raise ValueError(f"{path} is larger than 64 kB; it is to hold a key a line, {_FORM}")
    return _parsed(path, raw)


def key_line(key_id: str, key: bytes) -> str:
    """Write a key as a line of the file."""
    return f"{key_id} {base64.b64encode(key).decode()}\n"


def _check_rights(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise ValueError(f"{path} is not a plain file; name a file that holds the keys")
    # systemd sees to the rights of its credentials; those of a list of users show as the group's.
    is_credential = str(path.parent) == os.environ.get("CREDENTIALS_DIRECTORY")
    if os.name == "posix" and status.st_mode & 0o077 and not is_credential:
        raise ValueError(f"others can read {path}: run chmod 600 {path}")


def _parsed(path: Path, raw: bytes) -> KeyRing:
    keys: dict[str, bytes] = {}
    lines: dict[str, int] = {}
    for number, line in enumerate(raw.split(b"\n"), 1):
        words = line.split()
        if not words or words[0].startswith(b"#"):
            continue
        place = f"line {number} of {path}"
        key_id, key = _key(words, place)
        first = lines.setdefault(key_id, number)
        if first != number:
            raise ValueError(f"{place} has the key id of line {first}; give it an id of its own")
        keys[key_id] = key
    if not keys:
        raise ValueError(f"{path} holds no key; add a line: {_FORM}")
    return KeyRing(keys=keys)


def _key(words: list[bytes], place: str) -> tuple[str, bytes]:
    """Read the words of a line; none of them is ever shown, any could be a key."""
    if len(words) != 2:
        raise ValueError(f"{place} is not a key; write {_FORM}")
    key_id = words[0].decode("ascii", "replace")
    if not _KEY_ID.fullmatch(key_id):
        raise ValueError(f"{place} begins with no key id; use up to 64 letters, digits, . _ and -")
    try:
        key = base64.b64decode(words[1], validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"{place} holds a key that is not base64; write {_FORM}") from None
    if len(key) != KEY_BYTES:
        message = f"{place} holds a key of {len(key)} bytes, not of {KEY_BYTES}; write {_FORM}"
        raise ValueError(message)
    return key_id, key
