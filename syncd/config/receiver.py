"""Where messages are posted to: addresses that users give us, and those of services we use."""

from __future__ import annotations

from typing import Any

from yarl import URL

from syncd.config.addresses import may_be_public

_LONGEST = 2048


def parse_receiver(value: Any, what: str, *, allow_private: bool = False) -> str:
    """Return an address as it is stored.

    Args:
        value: as it was given.
        what: what it is, the beginning of the error's sentence.
        allow_private: whether http, any port and our own network will do.

    Raises:
        ValueError: it is none, or leads where it may not; the address is not repeated.
    """
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST:
        raise ValueError(f"{what} must be an address of at most {_LONGEST} characters")
    if not value.isascii() or not value.isprintable() or " " in value or "\\" in value:
        raise ValueError(f"{what} holds characters that no address has")
    try:
        url = URL(value)
        host, port = url.host or "", url.port
    except ValueError:
        raise ValueError(f"{what} is not an address") from None
    if url.scheme not in {"http", "https"} or not host:
        raise ValueError(f"{what} must begin with https://")
    if url.user is not None or url.password is not None or url.fragment:
        raise ValueError(f"{what} must hold neither a user or password nor a fragment")
    if not allow_private:
        _check_public(url.scheme, host, port, what)
    return str(url.with_port(None) if url.is_default_port() else url)


def _check_public(scheme: str, host: str, port: int | None, what: str) -> None:
    if scheme != "https":
        raise ValueError(f"{what} must begin with https://")
    if port != 443:
        raise ValueError(f"{what} must use port 443")
    if not may_be_public(host):
        raise ValueError(f"{what} must be public")


def check_service(base_url: str, *, allow_private: bool) -> None:
    """Refuse a service that is asked in the clear, or lies in our own network, unless it may.

    Raises:
        ValueError: it is one.
    """
    url = URL(base_url)
    if allow_private:
        return
    if url.scheme != "https":
        raise ValueError("base_url must begin with https://, or set allow_private = true")
    if not may_be_public(url.host or ""):
        raise ValueError(f"base_url: {url.host} is not public; set allow_private = true if meant")
