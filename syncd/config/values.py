"""Types of single values in config.toml that pydantic does not bring."""

from __future__ import annotations

import difflib
import re
import zoneinfo
from collections.abc import Iterable
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, SecretStr
from pydantic_core import PydanticCustomError

from syncd.config.dsn import without_password
from syncd.config.listen import is_loopback, split_listen

_HOST = re.compile(r"(?:[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+|/[^\0]*)?")
_IDENTIFIER = re.compile(r"[a-z_][a-z0-9_]{0,62}")


def suggestion(word: str, known: Iterable[str]) -> str:
    """Return `, did you mean "..."?` with the nearest known word, empty if none is near."""
    near = difflib.get_close_matches(word, list(known), n=1)
    return f', did you mean "{near[0]}"?' if near else ""


class SecretUrl(SecretStr):
    """A URL that may hold a password."""

    def redacted(self) -> str:
        """Return the URL with `***` for its password."""
        return without_password(self.get_secret_value())


def _listen(text: str) -> str:
    split_listen(text)
    return text


def _host(text: str) -> str:
    if _HOST.fullmatch(text) is None:
        # The text is not repeated: it may be a URL with its password.
        raise ValueError("is not a host name, an IP address or the folder of a Unix socket")
    return text


def _identifier(text: str) -> str:
    if _IDENTIFIER.fullmatch(text) is None:
        raise ValueError("must be small letters, digits and _")
    return text


def _zone(name: str) -> str:
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        near = suggestion(name, zoneinfo.available_timezones())
        message = 'must be a time zone such as "UTC" or "Europe/Berlin"'
        raise PydanticCustomError("zone", message, {"suggestion": near}) from None
    return name


def _base_url(text: str) -> str:
    try:
        parts = urlsplit(text)
        is_address = parts.scheme in {"http", "https"} and bool(parts.hostname)
        is_address = is_address and parts.port != 0
    except ValueError:
        is_address = False
    if not is_address:
        raise ValueError("must be the address of an API, https://host or http://host")
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError("must hold neither a user or password nor a query or fragment")
    return text.rstrip("/")


def _public_url(text: str) -> str:
    wrong = "must be the address that users reach syncd under, https://host"
    try:
        parts = urlsplit(text)
        is_address = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        raise ValueError(wrong) from None
    if not text:
        return text
    if not is_address or not text.isprintable() or " " in text:
        raise ValueError(wrong)
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError("must hold neither a user or password nor a query or fragment")
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        raise ValueError("must begin with https://: what a link does is nobody else's to read")
    return text.rstrip("/")


Zone = Annotated[str, AfterValidator(_zone)]
"""The name of a time zone."""

Host = Annotated[str, AfterValidator(_host)]
"""A host name, an IP address, the folder of a Unix socket, or empty."""

Identifier = Annotated[str, AfterValidator(_identifier)]
"""A name that PostgreSQL takes without quotes."""

Listen = Annotated[str, AfterValidator(_listen)]
"""An address with a port."""

BaseUrl = Annotated[str, AfterValidator(_base_url)]
"""Where an API lies: http or https, without a slash at the end."""


PublicUrl = Annotated[str, AfterValidator(_public_url)]
"""Where users reach us: http or https, without a slash at the end; or empty."""


def _words(value: Any) -> Any:
    if isinstance(value, str):
        return tuple(word.strip() for word in value.split(",") if word.strip())
    return value


Words = Annotated[tuple[str, ...], BeforeValidator(_words)]
"""A list of words; out of a variable they come separated by commas."""

EMPTY_IS_NONE = BeforeValidator(lambda value: None if value == "" else value)
"""An empty text counts as "not set"; for keys that may be None."""
