"""Plays a push service and the browsers behind it, which decrypt what arrives.

The decryption is RFC 8291 step by step, so that what made a message is not what reads it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from syncd.clock import Clock
from syncd.sandbox.answer import Answer
from syncd.sandbox.receiving import Receiving
from syncd.sandbox.service import told

_CURVE = ec.SECP256R1()
_LARGEST = 4_096
_LONGEST_TTL = 2_419_200
_DAY_SECONDS = 86_400
_TOPIC = re.compile(r"[A-Za-z0-9_-]{1,32}")
_URGENCIES = frozenset({"very-low", "low", "normal", "high"})
_VAPID = re.compile(r"vapid t=([\w-]+)\.([\w-]+)\.([\w-]+), ?k=([\w-]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """A message as its browser reads it."""

    payload: dict[str, Any]
    ttl: int
    topic: str
    urgency: str


@dataclass(slots=True, kw_only=True)
class Browser:
    """A browser that subscribed: its keys, and what it was brought.

    While it `is_away` messages wait for it, and a later one takes the place of one with its topic.
    """

    name: str
    private: ec.EllipticCurvePrivateKey = field(repr=False)
    auth: bytes = field(repr=False)
    is_away: bool = False
    is_gone: bool = False
    pushes: list[Push] = field(default_factory=list)

    def subscription(self, base_url: str) -> dict[str, Any]:
        """Return what it tells a site of itself."""
        keys = {"p256dh": encoded(_point(self.private)), "auth": encoded(self.auth)}
        return {"endpoint": f"{base_url}/push/{self.name}", "expirationTime": None, "keys": keys}

    def bring(self, push: Push) -> None:
        """Show a message, or let it wait."""
        if self.is_away and push.topic:
            self.pushes = [waiting for waiting in self.pushes if waiting.topic != push.topic]
        self.pushes.append(push)


class WebPush(Receiving):
    """A push service. With `key` it takes messages of that VAPID key only.

    Args:
        clock: tells the time.
    """

    def __init__(self, *, clock: Clock | None = None) -> None:
        super().__init__(clock=clock)
        self.browsers: dict[str, Browser] = {}
        self.key = ""

    def subscribe(self) -> Browser:
        """Return a browser that subscribes now."""
        name = f"s3cretEndpoint{len(self.browsers):04}"
        browser = Browser(name=name, private=ec.generate_private_key(_CURVE), auth=os.urandom(16))
        self.browsers[name] = browser
        return browser

    def take(self, request: web.BaseRequest, body: bytes) -> Answer:
        """Take a message for a browser."""
        browser = self.browsers.get(request.path.removeprefix("/push/"))
        if request.method != "POST" or browser is None:
            return _refusal(404, 102, "Invalid URL endpoint")
        if browser.is_gone:
            return _refusal(410, 106, "Request did not validate: the subscription ended")
        refused = self._checked(request, body)
        if refused is not None:
            return refused
        try:
            payload = decrypt(browser.private, browser.auth, body)
        except (ValueError, InvalidTag):
            return _refusal(400, 110, "Invalid crypto keys specified")
        headers = request.headers
        browser.bring(
            Push(
                payload=json.loads(payload),
                ttl=int(headers["TTL"]),
                topic=headers.get("Topic", ""),
                urgency=headers.get("Urgency", ""),
            )
        )
        where = f"{_origin(request)}/m/{browser.name}{len(browser.pushes)}"
        return Answer(status=201, headers={"Location": where, "TTL": headers["TTL"]})

    def _checked(self, request: web.BaseRequest, body: bytes) -> Answer | None:
        headers = request.headers
        ttl = headers.get("TTL", "")
        if not ttl.isdigit() or int(ttl) > _LONGEST_TTL:
            return _refusal(400, 111, "Missing or invalid TTL header")
        if not _TOPIC.fullmatch(headers.get("Topic", "none")):
            return _refusal(400, 113, "Invalid Topic header")
        if headers.get("Urgency", "normal") not in _URGENCIES:
            return _refusal(400, 112, "Invalid Urgency header")
        if headers.get("Content-Encoding") != "aes128gcm":
            return _refusal(400, 110, "Unknown Content-Encoding")
        if len(body) > _LARGEST:
            return _refusal(413, 104, "Data payload too large")
        return self._trusted(request)

    def _trusted(self, request: web.BaseRequest) -> Answer | None:
        """Check who sends it (RFC 8292): the signature, for whom it is, and how long it holds."""
        parts = _VAPID.fullmatch(request.headers.get("Authorization", ""))
        if parts is None:
            return _refusal(401, 109, "Invalid authentication: no vapid header")
        head, claims, signature, key = parts.groups()
        if self.key and key != self.key:
            return _refusal(403, 109, "the key is not the one of the subscription")
        try:
            _verify(f"{head}.{claims}".encode(), decoded(signature), decoded(key))
            told_claims = json.loads(decoded(claims))
        except (InvalidSignature, ValueError):
            return _refusal(401, 109, "Invalid authentication: the signature is wrong")
        left = told_claims.get("exp", 0) - self.clock.now().timestamp()
        if told_claims.get("aud") != _origin(request) or not 0 < left <= _DAY_SECONDS:
            return _refusal(401, 109, "Invalid authentication: aud or exp is wrong")
        if not str(told_claims.get("sub", "")).startswith(("mailto:", "https://")):
            return _refusal(401, 109, "Invalid authentication: sub is missing")
        return None


def decrypt(private: ec.EllipticCurvePrivateKey, auth: bytes, body: bytes) -> bytes:
    """Return what was encrypted for a browser (RFC 8291, in the shape of RFC 8188).

    Raises:
        ValueError, InvalidTag: it was not meant for this browser, or is damaged.
    """
    salt, record_size, length = body[:16], int.from_bytes(body[16:20]), body[20]
    sender, sealed = body[21 : 21 + length], body[21 + length :]
    if record_size < 18 or not sealed:
        raise ValueError("there is no record")
    shared = private.exchange(
        ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(_CURVE, sender)
    )
    info = b"WebPush: info\0" + _point(private) + sender
    secret = _hmac(_hmac(auth, shared), info + b"\1")
    random_key = _hmac(salt, secret)
    key = _hmac(random_key, b"Content-Encoding: aes128gcm\0\1")[:16]
    nonce = _hmac(random_key, b"Content-Encoding: nonce\0\1")[:12]
    return b"".join(_records(AESGCM(key), nonce, sealed, record_size))


def _records(cipher: AESGCM, nonce: bytes, sealed: bytes, size: int) -> Iterator[bytes]:
    for number, start in enumerate(range(0, len(sealed), size)):
        own = (int.from_bytes(nonce) ^ number).to_bytes(12)
        padded = cipher.decrypt(own, sealed[start : start + size], None).rstrip(b"\0")
        delimiter = b"\2" if start + size >= len(sealed) else b"\1"
        if not padded.endswith(delimiter):
            raise ValueError("a record does not end as it should")
        yield padded[:-1]


def encoded(raw: bytes) -> str:
    """Return base64url without padding."""
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def decoded(text: str) -> bytes:
    """Return what base64url without padding holds."""
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _verify(signed: bytes, signature: bytes, key: bytes) -> None:
    public = ec.EllipticCurvePublicKey.from_encoded_point(_CURVE, key)
    pair = int.from_bytes(signature[:32]), int.from_bytes(signature[32:])
    public.verify(encode_dss_signature(*pair), signed, ec.ECDSA(SHA256()))


def _point(private: ec.EllipticCurvePrivateKey) -> bytes:
    return private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def _hmac(key: bytes, data: bytes) -> bytes:
    return hmac.new(key, data, hashlib.sha256).digest()


def _origin(request: web.BaseRequest) -> str:
    return f"{request.scheme}://{request.host}"


def _refusal(status: int, number: int, message: str) -> Answer:
    return told({"code": status, "errno": number, "error": "", "message": message}, status)
