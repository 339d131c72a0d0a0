"""Who a caller of the GitHub stand-in is: tokens, OAuth apps, and installations of GitHub Apps.

https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app
"""

from __future__ import annotations

import binascii
import json
import re
from base64 import b64decode, urlsafe_b64decode
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from hashlib import blake2b
from typing import Any

from aiohttp import hdrs, web
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from syncd.clock import Clock

TOKENS = re.compile(r"/app/installations/([0-9]+)/access_tokens")
LONGEST_PROOF_SECONDS = 600
REFUSED = "A JSON web token could not be decoded"
SUSPENDED = "This installation has been suspended"


@dataclass(slots=True)
class _Installation:
    app_id: str
    key: RSAPublicKey
    state: str = "active"
    made: int = 0
    ends: dict[str, datetime] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """An answer about a credential: a status, and GitHub's words or the body of a good one."""

    status: int
    message: str = ""
    body: dict[str, Any] = field(default_factory=dict)


class Credentials:
    """Knows whom GitHub knows.

    Every bearer token is good until `revoke` or `accept_only` says otherwise, but those that look
    like an installation's only while they live. An OAuth app must have been added.

    Args:
        clock: tells the time.
        token_seconds: how long an installation's token lives (an hour on the real one).
    """

    def __init__(self, clock: Clock, token_seconds: float = 3600) -> None:
        self.token_seconds = token_seconds
        # How wrong this server's clock is, in everything that it says and checks.
        self.clock_error = timedelta()
        # How often each was asked with, under the name that `whose` gives it.
        self.asked: Counter[str] = Counter()
        self._clock = clock
        self._accepted: frozenset[str] | None = None
        self._revoked: set[str] = set()
        self._secrets: dict[str, str] = {}
        self._installations: dict[str, _Installation] = {}

    def accept_only(self, *tokens: str) -> None:
        """Refuse every token but these from now on."""
        self._accepted = frozenset(tokens)

    def revoke(self, token: str) -> None:
        """Refuse this token from now on."""
        self._revoked.add(token)

    def add_oauth_app(self, client_id: str, client_secret: str) -> None:
        """Know an OAuth app."""
        self._secrets[client_id] = client_secret

    def install(self, app_id: str, installation_id: int, public_key: str) -> None:
        """Know an app, by its public key in PEM form, and let somebody install it."""
        key = load_pem_public_key(public_key.encode())
        assert isinstance(key, RSAPublicKey)
        self._installations[str(installation_id)] = _Installation(str(app_id), key)

    def change_installation(self, installation_id: int, state: str) -> None:
        """Let an installation be `active`, `suspended` or `removed` from now on."""
        self._installations[str(installation_id)].state = state

    def revoke_tokens(self, installation_id: int) -> None:
        """Let the tokens that an installation has now be good no more."""
        self._installations[str(installation_id)].ends.clear()

    def tokens_made(self, installation_id: int) -> int:
        """Tell how many tokens an installation asked for."""
        return self._installations[str(installation_id)].made

    def whose(self, request: web.BaseRequest) -> str:
        """Name whose budget a request draws on: a token's, an app's, or that of an address."""
        sent = request.headers.get(hdrs.AUTHORIZATION)
        if sent is None:
            return f"address {request.remote or ''}"
        scheme, _, given = sent.partition(" ")
        if scheme.lower() == "basic":
            return f"app {_basic(given)[0]}"
        for number, installation in self._installations.items():
            if given in installation.ends:
                return f"installation {number}"
        return f"token {given.strip()}"

    def refusal(self, request: web.BaseRequest) -> Told | None:
        """Tell how a request is refused for what it brings along; None where it is not."""
        sent = request.headers.get(hdrs.AUTHORIZATION)
        if sent is None:
            return None
        scheme, _, given = sent.partition(" ")
        if scheme.lower() == "basic":
            name, secret = _basic(given)
            return None if self._secrets.get(name) == secret and secret else _bad()
        token = given.strip()
        if token.startswith("ghs_"):
            return self._refusal_of_installation(token)
        is_accepted = self._accepted is None or token in self._accepted
        return None if token and is_accepted and token not in self._revoked else _bad()

    def _refusal_of_installation(self, token: str) -> Told | None:
        for installation in self._installations.values():
            if self._now() < installation.ends.get(token, datetime.min.replace(tzinfo=UTC)):
                is_suspended = installation.state == "suspended"
                return Told(status=403, message=SUSPENDED) if is_suspended else None
        return _bad()

    def make_token(self, request: web.BaseRequest) -> Told | None:
        """Answer a request for an installation's token; None where it is none."""
        asked = TOKENS.fullmatch(request.path)
        if asked is None or request.method != hdrs.METH_POST:
            return None
        app_id = self._proven_app(request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")[2])
        if app_id is None:
            return Told(status=401, message=REFUSED)
        installation = self._installations.get(asked[1])
        if installation is None or installation.app_id != app_id or installation.state == "removed":
            return Told(status=404, message="Not Found")
        if installation.state == "suspended":
            return Told(status=403, message=SUSPENDED)
        return Told(status=201, body=self._new_token(asked[1], installation))

    def _new_token(self, number: str, installation: _Installation) -> dict[str, Any]:
        installation.made += 1
        place = f"{number} {installation.made}".encode()
        token = f"ghs_{blake2b(place, digest_size=18).hexdigest()}"
        ends_at = self._now() + timedelta(seconds=self.token_seconds)
        installation.ends[token] = ends_at
        return {
            "token": token,
            "expires_at": f"{ends_at:%Y-%m-%dT%H:%M:%SZ}",
            "permissions": {"metadata": "read"},
            "repository_selection": "all",
        }

    def _proven_app(self, proof: str) -> str | None:
        """Return whose key signed a JSON web token that is good now; None where nobody's did."""
        try:
            head, claims, signature = proof.split(".")
            told = json.loads(_decoded(claims))
            is_rs256 = json.loads(_decoded(head))["alg"] == "RS256"
            since, until, app_id = told["iat"], told["exp"], str(told["iss"])
            now = self._now().timestamp()
            is_timely = since <= now < until <= now + LONGEST_PROOF_SECONDS
            keys = [each.key for each in self._installations.values() if each.app_id == app_id]
            signed = f"{head}.{claims}".encode()
            keys[0].verify(_decoded(signature), signed, PKCS1v15(), SHA256())
        except (ValueError, KeyError, TypeError, IndexError, InvalidSignature):
            return None
        return app_id if is_rs256 and is_timely else None

    def _now(self) -> datetime:
        return self._clock.now() + self.clock_error

    def date(self) -> str:
        """Return the header `Date` as this server's clock has it."""
        return format_datetime(self._now().astimezone(UTC), usegmt=True)


def _bad() -> Told:
    return Told(status=401, message="Bad credentials")


def _basic(given: str) -> tuple[str, str]:
    try:
        name, _, secret = b64decode(given.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return name, secret


def _decoded(part: str) -> bytes:
    return urlsafe_b64decode(part + "=" * (-len(part) % 4))
