"""Sealing: what users granted us is encrypted before it leaves this process.

AES-256-GCM; the ciphertext is behind a random nonce of 96 bits. What it belongs to is sealed in
with it: in another row, another column or under another key id it does not open.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from syncd.config.keyring import KeyRing
from syncd.errors import KeysUnfit
from syncd.model.account import AccountId
from syncd.store.key_file import KeyFile

_NONCE_BYTES = 12
_TAG_BYTES = 16


class SealBroken(Exception):
    """Reaches one value: it cannot be opened; the message says why and holds nothing of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """What a sealed value belongs to. Only the platform may hold a `|`: it stays unambiguous."""

    account_id: AccountId
    platform: str
    field: str

    def under(self, key_id: str) -> bytes:
        """Return the associated data for a key."""
        return f"{self.account_id}|{self.platform}|{self.field}|{key_id}".encode()


class Sealer:
    """Seals with the newest key of a ring, and opens with any.

    Nothing is read before it is needed, and a file that is not there is no error before that:
    `load` reads it, `make` makes it.
    """

    def __init__(self, file: KeyFile) -> None:
        self._file = file
        # Together, for they may be read from a thread.
        self._keys: tuple[KeyRing | None, Mapping[str, Any]] = (None, {})

    @property
    def place(self) -> str:
        """Return where the keys are, for people."""
        return str(self._file.path)

    @property
    def newest(self) -> str:
        """Return the id of the key that seals.

        Raises:
            KeysUnfit: no keys were found.
        """
        return self._loaded().newest

    @property
    def known(self) -> frozenset[str]:
        """Return the ids of all keys at hand."""
        _, ciphers = self._keys
        return frozenset(ciphers)

    async def load(self, needed: Iterable[str] = ()) -> None:
        """Have the keys at hand; the file is read again where one of `needed` is not.

        Raises:
            KeysUnfit: the file is not there, or cannot be used.
        """
        if self._keys[0] is None or not self.known.issuperset(needed):
            await self.reload()
        self._loaded()

    async def reload(self) -> bool:
        """Read the file again; False where it is gone, and the keys that were known stay so.

        Raises:
            KeysUnfit: the file cannot be used.
        """
        return await self._take(self._file.read)

    async def make(self) -> None:
        """Make the file with a first key where there is none.

        Raises:
            KeysUnfit: it cannot be made or used.
        """
        await self._take(self._file.make)

    async def add_key(self) -> None:
        """Add a key to the file; it seals from now on.

        Raises:
            KeysUnfit: the file is not ours to write.
        """
        await self._take(self._file.add)

    def seal(self, bound: Bound, text: str, key_id: str = "") -> bytes:
        """Seal a value with a key, with the newest where none is named.

        Raises:
            SealBroken: the key is not at hand any more.
        """
        key_id = key_id or self.newest
        nonce = os.urandom(_NONCE_BYTES)
        content: bytes = self._cipher(key_id).encrypt(nonce, text.encode(), bound.under(key_id))
        return nonce + content

    def open(self, bound: Bound, key_id: str, content: bytes) -> str:
        """Return a value that was sealed for this.

        Raises:
            SealBroken: its key is not at hand, or it is not what was sealed for this.
        """
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - 40 ms, few need it

        cipher = self._cipher(key_id)
        if len(content) < _NONCE_BYTES + _TAG_BYTES:
            raise SealBroken("its ciphertext is cut off")
        nonce, rest = content[:_NONCE_BYTES], content[_NONCE_BYTES:]
        try:
            opened: bytes = cipher.decrypt(nonce, rest, bound.under(key_id))
        except InvalidTag:
            raise SealBroken("it was changed, or sealed for another user") from None
        return opened.decode()

    def missing(self) -> KeysUnfit:
        """Say that the file is not there, and how to mend it."""
        return KeysUnfit(
            f"there is no key file {self.place}, and stored tokens need its keys",
            hint="put it back from a backup; without it every user must grant access again",
        )

    async def _take(self, read: Callable[[], KeyRing | None]) -> bool:
        ring, ciphers = await asyncio.to_thread(_with_ciphers, read)
        if ring is not None:
            self._keys = ring, ciphers
        return ring is not None

    def _loaded(self) -> KeyRing:
        ring, _ = self._keys
        if ring is None:
            raise self.missing()
        return ring

    def _cipher(self, key_id: str) -> Any:
        _, ciphers = self._keys
        if key_id not in ciphers:
            raise SealBroken(f"its key {key_id[:64]!a} is not in {self.place}")
        return ciphers[key_id]


def _with_ciphers(read: Callable[[], KeyRing | None]) -> tuple[KeyRing | None, Mapping[str, Any]]:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - as above

    ring = read()
    keys = {} if ring is None else ring.keys
    return ring, {key_id: AESGCM(key) for key_id, key in keys.items()}
