"""Links in what is sent: signed, so that whoever has one may do what it says and nothing else."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac

from syncd.config.channels import Notify
from syncd.config.keyring import KeyRing
from syncd.errors import ConfigError, KeysUnfit
from syncd.store.key_file import KeyFile

PATH = "/unsubscribe"
_HEAD = (
    "# The keys that sign the links in what syncd sends; the last one is used for new ones.\n"
    "# Without a key the links that it signed end nothing any more.\n"
)
_PURPOSE = b"syncd unsubscribe 1\0"
_LONGEST = 2_048


class Links:
    """Makes and reads the links by which users end a channel.

    Which user and channel stand in the link itself, signed: it stays good however long a message
    lies in a mailbox, and needs no row.

    Args:
        notify: where users reach us, and which file holds the keys.
    """

    def __init__(self, notify: Notify) -> None:
        self._url = notify.public_url
        self._file = KeyFile(notify.key_file, section="notify", head=_HEAD)
        self._ring: KeyRing | None = None

    @property
    def url(self) -> str:
        """Return where users reach us, empty where they do not."""
        return self._url

    def open(self) -> None:
        """Read the keys, and make the first where there is none; call it beside the loop.

        Raises:
            ConfigError: they cannot be read or made.
        """
        if self._url:
            try:
                self._ring = self._file.read() or self._file.make()
            except KeysUnfit as error:
                raise ConfigError(f"notify.key_file: {error}", hint=error.hint) from error

    def link(self, user: str, channel: str) -> str:
        """Return the link by which a user ends a channel; empty where users cannot reach us.

        Args:
            user: the user's key.
            channel: the channel's name.
        """
        if self._ring is None:
            return ""
        key_id = self._ring.newest
        text = f"{channel}\0{user}".encode()
        signature = _signature(self._ring.keys[key_id], text)
        token = ".".join([key_id.replace(".", "~"), _encoded(text), _encoded(signature)])
        return f"{self._url}{PATH}?t={token}"

    def read(self, token: str) -> tuple[str, str] | None:
        """Return whom a link is about, user and channel; None: it is not one of ours."""
        parts = token.split(".")
        if self._ring is None or len(parts) != 3 or len(token) > _LONGEST:
            return None
        key = self._ring.keys.get(parts[0].replace("~", "."))
        text, signature = _decoded(parts[1]), _decoded(parts[2])
        if key is None or not hmac.compare_digest(signature, _signature(key, text)):
            return None
        channel, _, user = text.decode().partition("\0")
        return user, channel


def _signature(key: bytes, text: bytes) -> bytes:
    return hmac.digest(key, _PURPOSE + text, hashlib.sha256)


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _decoded(text: str) -> bytes:
    """Return what was encoded; of anything else nothing that could be right."""
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return b""
