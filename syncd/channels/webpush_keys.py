"""The keys of Web Push: those of a browser's subscription, and the one that proves who we are."""

from __future__ import annotations

import binascii
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from syncd.config.receiver import parse_receiver

_CURVE = ec.SECP256R1()
_LONGEST = 4096
_POINT_BYTES = 65
_AUTH_BYTES = 16
_KEY_BYTES = 32
_BAD_KEY = "private_key must be a VAPID key: 32 bytes in base64url, or PEM of a P-256 key"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """Where a browser is reached, and what its messages are encrypted with; keys in base64url."""

    endpoint: str = field(repr=False)
    p256dh: str = field(repr=False)
    auth: str = field(repr=False)

    def info(self) -> dict[str, Any]:
        """Return it as browsers write it."""
        return {"endpoint": self.endpoint, "keys": {"auth": self.auth, "p256dh": self.p256dh}}

    def text(self) -> str:
        """Return it as it is stored; equal ones are written alike."""
        return json.dumps(self.info(), separators=(",", ":"), sort_keys=True)


def parse_subscription(address: Any, *, allow_private: bool = False) -> Subscription:
    """Read a subscription: a table, or JSON of it.

    Raises:
        ValueError: it is none; one sentence, without anything of it.
    """
    table = _table(address)
    keys = table.get("keys")
    if not isinstance(keys, Mapping):
        raise ValueError("a subscription needs keys with p256dh and auth")  # noqa: TRY004 - input
    endpoint = parse_receiver(
        table.get("endpoint"), "endpoint of a subscription", allow_private=allow_private
    )
    point = _decoded(keys.get("p256dh"), "p256dh", _POINT_BYTES)
    auth = _decoded(keys.get("auth"), "auth", _AUTH_BYTES)
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(_CURVE, point)
    except ValueError:
        raise ValueError("p256dh of a subscription is no point of the curve P-256") from None
    return Subscription(endpoint=endpoint, p256dh=_encoded(point), auth=_encoded(auth))


def check_key(text: str) -> ec.EllipticCurvePrivateKey:
    """Read a VAPID key.

    Raises:
        ValueError: it is none; nothing of it is told.
    """
    try:
        if "-----BEGIN" in text:
            key = load_pem_private_key(text.strip().encode(), password=None)
        else:
            raw = _decoded(text.strip(), "private_key", _KEY_BYTES)
            key = ec.derive_private_key(int.from_bytes(raw), _CURVE)
    except (ValueError, TypeError):
        raise ValueError(_BAD_KEY) from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name != _CURVE.name:
        raise ValueError(_BAD_KEY)
    return key


def _table(address: Any) -> Mapping[str, Any]:
    if isinstance(address, str) and len(address) <= _LONGEST:
        try:
            address = json.loads(address)
        except (ValueError, RecursionError):
            address = None
    if not isinstance(address, Mapping):
        raise ValueError("a subscription is a table with endpoint and keys")  # noqa: TRY004 - input
    return address


def _decoded(text: Any, name: str, size: int) -> bytes:
    if isinstance(text, str) and text.isascii() and len(text) <= _LONGEST:
        plain = text.rstrip("=").replace("+", "-").replace("/", "_")
        try:
            raw = urlsafe_b64decode(plain + "=" * (-len(plain) % 4))
        except binascii.Error:
            raw = b""
        if len(raw) == size and _encoded(raw) == plain:
            return raw
    raise ValueError(f"{name} of a subscription must be {size} bytes in base64url")


def _encoded(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()
