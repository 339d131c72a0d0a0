"""The tokens of a GitHub App: proven by its key, made where it is installed, renewed in time.

https://docs.github.com/apps/creating-github-apps/authenticating-with-a-github-app
"""

from __future__ import annotations

import asyncio
import json
import re
from base64 import urlsafe_b64encode
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from syncd.clock import Clock
from syncd.config.credential import Credential as CredentialSettings
from syncd.config.rsa_key import load_rsa_key
from syncd.errors import BadPayload, CredentialsRejected, PlatformDown, SyncdError
from syncd.outbound.answers import Response

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

# GitHub refuses a proof that lasts for more than ten minutes or was made in the future.
PROOF_SECONDS = 540
BACKDATED_SECONDS = 60
# Documented: a token lives for an hour.
LIFETIME_SECONDS = 3600.0
SHORTEST_SECONDS = 60.0
# A token is renewed when a twelfth of its life is left, five minutes of the usual hour, and not
# used in its last minute: what leaves must arrive before the end.
RENEWED_AFTER = 11 / 12
USED_FOR = 59 / 60
# How soon that is tried again, while the old one is good still.
RENEWED_AGAIN_SECONDS = 30.0
# A server's clock that is further off is no clock.
MOST_AHEAD = timedelta(days=366)

_TOKEN = re.compile(r"[!-~]{1,1000}")

AskForToken = Callable[[tuple[str, ...], dict[str, str]], Awaitable[Response]]
"""Send a POST to a path with these headers; return the answer unless it is about the platform."""


@dataclass(frozen=True, slots=True)
class Installation:
    """A GitHub App where somebody installed it."""

    app_id: str
    id: str
    _key: RSAPrivateKey = field(repr=False, compare=False)

    @classmethod
    def from_settings(cls, given: CredentialSettings) -> Installation:
        """Return what config.toml describes.

        Raises:
            ValueError: the private key is none.
        """
        key = load_rsa_key(given.text("private_key"))
        return cls(given.text("app_id"), given.text("installation_id"), key)

    @property
    def path(self) -> tuple[str, ...]:
        """Return where tokens are made."""
        return ("app", "installations", self.id, "access_tokens")

    def proof(self, now: datetime) -> str:
        """Return a JSON web token (RS256) that proves we are the app, good for some minutes."""
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15  # noqa: PLC0415
        from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415

        at = int(now.timestamp())
        claims = {"iat": at - BACKDATED_SECONDS, "exp": at + PROOF_SECONDS, "iss": self.app_id}
        signed = f"{_encoded({'alg': 'RS256', 'typ': 'JWT'})}.{_encoded(claims)}"
        signature = self._key.sign(signed.encode(), PKCS1v15(), SHA256())
        return f"{signed}.{_base64(signature)}"


class InstallationTokens:
    """Holds the token of an installation, and makes a new one before the old one ends.

    How long a token lives is measured by our own monotonic clock, from what the server says of it
    by its own clock: neither clock's being wrong makes it end early, live on or be made in a loop.

    Args:
        installation: whose tokens.
        clock: where time comes from.
    """

    def __init__(self, installation: Installation, clock: Clock) -> None:
        self._installation = installation
        self._clock = clock
        self._token = ""
        self._asked_at = self._renew_at = self._ends_at = 0.0
        # How far the server's clock is ahead of ours, where that keeps it from believing a proof.
        self._ahead = timedelta()
        self._turn = asyncio.Lock()
        self._tries = 0
        self._failure: SyncdError | None = None

    def headers(self) -> dict[str, str] | None:
        """Return the headers of a token that is good now, None when one must be made first."""
        if not self._token or self._clock.monotonic() >= self._ends_at:
            return None
        return {"Authorization": f"Bearer {self._token}"}

    def discard(self, headers: dict[str, str]) -> None:
        """Believe the server that the token of these headers is good no more."""
        if headers == self.headers():
            self._renew_at = self._ends_at = 0.0

    async def keep(self, ask: AskForToken) -> None:
        """Make a token where none is good for long; many callers cost one request.

        While the old one is good nobody but the one who asks waits, and a failure harms nobody.

        Raises:
            CredentialsRejected: the platform does not know us as this app, or not there.
            PlatformError: as the one request failed, for everybody who waited for it.
        """
        if self._is_good() or (self._turn.locked() and self.headers() is not None):
            return
        tries = self._tries
        async with self._turn:
            if self._is_good():
                return
            if self._tries != tries and self._failure is not None:
                raise self._failure
            self._failure = None
            try:
                await self._renew(ask)
            except SyncdError as error:
                if self.headers() is None:
                    self._failure = error
                    raise
                again_at = self._clock.monotonic() + RENEWED_AGAIN_SECONDS
                self._renew_at = min(again_at, self._ends_at)
            finally:
                self._tries += 1

    def _is_good(self) -> bool:
        return bool(self._token) and self._clock.monotonic() < self._renew_at

    async def _renew(self, ask: AskForToken) -> None:
        response = await self._ask(ask)
        if response.status == 401:
            # A proof is dated: if our clock is what the server does not believe, go by its own.
            self._ahead = response.server_time() - self._clock.now()
            if timedelta(seconds=BACKDATED_SECONDS / 2) < abs(self._ahead) < MOST_AHEAD:
                response = await self._ask(ask)
        if response.status != 201:
            self._ahead = timedelta()
            raise CredentialsRejected(self._refusal(response.status))
        self._learn(response)

    async def _ask(self, ask: AskForToken) -> Response:
        self._asked_at = self._clock.monotonic()
        proof = self._installation.proof(self._clock.now() + self._ahead)
        try:
            return await ask(self._installation.path, {"Authorization": f"Bearer {proof}"})
        except BadPayload as error:
            # No account is to blame for what came instead of a token.
            raise PlatformDown(str(error)) from error

    def _learn(self, response: Response) -> None:
        data: Any = response.data
        token = data.get("token") if isinstance(data, dict) else None
        if not isinstance(token, str) or not _TOKEN.fullmatch(token):
            raise PlatformDown("cannot make an installation token: the answer holds none")
        self._token = token
        seconds = _lifetime_seconds(response)
        # From when it was asked for: the server's count began no earlier.
        self._renew_at = self._asked_at + seconds * RENEWED_AFTER
        self._ends_at = self._asked_at + seconds * USED_FOR

    def _refusal(self, status: int) -> str:
        app, place = self._installation.app_id, self._installation.id
        causes = {
            401: f"the private key is not one of app {app}, or there is no such app",
            403: f"app {app} is suspended or has no rights",
            404: f"app {app} has no installation {place}; it was removed or never installed",
        }
        why = causes.get(status, "the platform does not make any")
        return f"HTTP {status}: {why}"


def _lifetime_seconds(response: Response) -> float:
    """Return how long a token lives, by the server's own clock; what makes no sense is an hour."""
    try:
        ends_at = datetime.fromisoformat(response.data["expires_at"])
        seconds = (ends_at - response.server_time()).total_seconds()
    except (KeyError, TypeError, ValueError):
        return LIFETIME_SECONDS
    return seconds if SHORTEST_SECONDS <= seconds <= LIFETIME_SECONDS else LIFETIME_SECONDS


def _encoded(part: dict[str, Any]) -> str:
    return _base64(json.dumps(part, separators=(",", ":")).encode())


def _base64(content: bytes) -> str:
    return urlsafe_b64encode(content).rstrip(b"=").decode()
