"""As whom we ask: a personal token, an OAuth app, an installed GitHub App, or nobody."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from dataclasses import dataclass, field, replace
from urllib.parse import quote_plus

from syncd.config.credential import Credential as CredentialSettings
from syncd.errors import ConfigError
from syncd.model.scheme import Scheme
from syncd.outbound.installation import Installation

FINGERPRINT_CHARACTERS = 12
# What is shorter is a word that people write, and hides nothing.
SHORTEST_SECRET = 6

_MEND = {
    Scheme.ANONYMOUS: "give the platform a credential",
    Scheme.BEARER: "renew the credential {}",
    Scheme.BASIC: "check client_id and client_secret of the credential {}",
    Scheme.PUBLIC: "check client_id of the credential {}; an app that has a client_secret "
    "needs it as well",
    Scheme.INSTALLATION: "check app_id, installation_id and private_key of the credential {}, "
    "and that the app is still installed",
}


@dataclass(frozen=True, slots=True)
class Credential:
    """What a platform knows us by.

    Make one with `bearer`, `basic`, `public`, `of_installation`, `anonymous` or `from_settings`.
    `fingerprint` names what is behind it without telling it: an ETag may be sent again only with
    the credential that it came with. Of an installation it names the installation, whose tokens
    change; `InstallationTokens` makes them. `client_id` is what a PUBLIC one writes into its
    requests. `owner` is its name in config.toml where a companion uses it under its own.
    """

    name: str
    scheme: Scheme
    fingerprint: str
    installation: Installation | None = None
    _authorization: str = field(default="", repr=False)
    _secrets: tuple[bytes, ...] = field(default=(), repr=False)
    client_id: str = ""
    owner: str = ""

    @classmethod
    def bearer(cls, name: str, token: str, word: str = "Bearer") -> Credential:
        """Return the credential of a bearer token; white space around it is no part of it.

        `word` stands before it in the header. Of `user:key` the key alone is a secret as well.

        Raises:
            ConfigError: it is empty or cannot stand in a header. The message does not hold it.
        """
        token = token.strip()
        _check(name, "token", token)
        secrets = _forms(token, token.rpartition(":")[2])
        whole = f"{word} {token}"
        return cls(name, Scheme.BEARER, _fingerprint(token), None, whole, secrets)

    @classmethod
    def basic(cls, name: str, client_id: str, client_secret: str) -> Credential:
        """Return the credential of an OAuth app, which asks for public data in its own name.

        Raises:
            ConfigError: as `bearer`.
        """
        client_secret = client_secret.strip()
        _check(name, "client_id", client_id)
        _check(name, "client_secret", client_secret)
        both = f"{client_id}:{client_secret}"
        code = b64encode(both.encode()).decode()
        secrets = _forms(client_secret, code)
        return cls(name, Scheme.BASIC, _fingerprint(both), None, f"Basic {code}", secrets)

    @classmethod
    def public(cls, name: str, client_id: str) -> Credential:
        """Return the credential of an OAuth app without a secret: its requests name it themselves.

        Raises:
            ConfigError: as `bearer`.
        """
        _check(name, "client_id", client_id)
        return cls(name, Scheme.PUBLIC, _fingerprint(client_id), client_id=client_id)

    @classmethod
    def of_installation(cls, name: str, installation: Installation) -> Credential:
        """Return the credential of a GitHub App where it is installed."""
        whose = f"installation {installation.app_id} {installation.id}"
        return cls(name, Scheme.INSTALLATION, _fingerprint(whose), installation)

    @classmethod
    def anonymous(cls, name: str = Scheme.ANONYMOUS) -> Credential:
        """Return the credential of those who have none; `name` tells one way out from another."""
        return cls(name, Scheme.ANONYMOUS, Scheme.ANONYMOUS)

    @classmethod
    def from_settings(cls, given: CredentialSettings, word: str = "Bearer") -> Credential:
        """Return the credential that config.toml describes; `word` is what stands before a token.

        Raises:
            ConfigError: it cannot be used, as far as that can be seen without asking.
        """
        match given.scheme:
            case Scheme.BASIC:
                return cls.basic(given.name, given.text("client_id"), given.text("client_secret"))
            case Scheme.PUBLIC:
                return cls.public(given.name, given.text("client_id"))
            case Scheme.INSTALLATION:
                try:
                    return cls.of_installation(given.name, Installation.from_settings(given))
                except ValueError as error:
                    raise ConfigError(f"credential {given.name}: private_key {error}") from None
            case _:
                return cls.bearer(given.name, given.text("token"), word)

    @property
    def is_anonymous(self) -> bool:
        """Whether nothing is sent."""
        return self.scheme is Scheme.ANONYMOUS

    @property
    def has_etags(self) -> bool:
        """Whether an ETag holds: it belongs to the header, and tokens of an app change hourly."""
        return self.scheme is not Scheme.INSTALLATION

    @property
    def mend(self) -> str:
        """Say what to do when it is refused."""
        return _MEND[self.scheme].format(self.owner or self.name)

    def at(self, companion: str) -> Credential:
        """Return it as a companion uses it, whose way out has a name of its own."""
        return replace(self, name=companion, owner=self.owner or self.name)

    def headers(self) -> dict[str, str]:
        """Return the headers that prove it; none for an installation, which has tokens instead."""
        return {"Authorization": self._authorization} if self._authorization else {}

    def redact(self, body: bytes, *sent: str) -> bytes:
        """Blank every secret of it, and those a request was sent with, out of an answer."""
        for secret in (*self._secrets, *_forms(*sent)):
            if secret in body:
                body = body.replace(secret, b"***")
        return body


def _forms(*secrets: str) -> tuple[bytes, ...]:
    """Return how secrets may be written in an answer: a slash escaped, or as a form was sent."""
    long = [secret for secret in secrets if len(secret) >= SHORTEST_SECRET]
    forms = [form for one in long for form in (one, one.replace("/", "\\/"), quote_plus(one))]
    return tuple(form.encode() for form in dict.fromkeys(forms))


def _check(name: str, what: str, text: str) -> None:
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        raise ConfigError(
            f"credential {name}: the {what} is empty or holds characters that no {what} has"
        )


def _fingerprint(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:FINGERPRINT_CHARACTERS]
