"""As whom we ask: a bearer token, or nobody."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

from syncd.errors import ConfigError

ANONYMOUS = "anonymous"
FINGERPRINT_CHARACTERS = 12


@dataclass(frozen=True, slots=True)
class Credential:
    """What a platform knows us by.

    Make one with `bearer`, `from_file` or `anonymous`. `fingerprint` names the token without
    telling it: an ETag may be sent again only with the credential that it came with.
    """

    name: str
    fingerprint: str
    _token: str = field(default="", repr=False)

    @classmethod
    def bearer(cls, name: str, token: str) -> Credential:
        """Return the credential of a bearer token; white space around it is no part of it.

        Raises:
            ConfigError: it is empty or cannot stand in a header. The message does not hold it.
        """
        token = token.strip()
        if not token or not token.isascii() or not token.isprintable() or " " in token:
            raise ConfigError(
                f"credential {name}: the token is empty or holds characters that no token has"
            )
        digest = hashlib.sha256(token.encode()).hexdigest()
        return cls(name, digest[:FINGERPRINT_CHARACTERS], token)

    @classmethod
    def from_file(cls, name: str, path: Path) -> Credential:
        """Read a bearer token from a file.

        Raises:
            ConfigError: the file cannot be read or does not hold a token.
        """
        try:
            return cls.bearer(name, path.read_text("utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(
                f"credential {name}: cannot read {path}: {type(error).__name__}"
            ) from error

    @classmethod
    def anonymous(cls) -> Credential:
        """Return the credential of those who have none."""
        return cls(ANONYMOUS, ANONYMOUS)

    @property
    def is_anonymous(self) -> bool:
        """Whether nothing is sent."""
        return not self._token

    def headers(self) -> dict[str, str]:
        """Return the headers that prove it."""
        return {"Authorization": f"Bearer {self._token}"} if self._token else {}

    def redact(self, text: str) -> str:
        """Blank the token out of text that came from outside."""
        return text.replace(self._token, "***") if self._token else text
