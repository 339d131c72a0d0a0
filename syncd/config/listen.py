"""Where the control port listens: "127.0.0.1:8642", "[::1]:8642", "localhost:8642"."""

from __future__ import annotations

import ipaddress
import re

DEFAULT_LISTEN = "127.0.0.1:8642"

_LISTEN = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):(\d{1,5})", re.ASCII)


def split_listen(text: str) -> tuple[str, int]:
    """Return host and port; port 0 asks the system for a free one.

    Raises:
        ValueError: the text is not an address with a port.
    """
    match = _LISTEN.fullmatch(text.strip())
    if match is None or int(match[2]) > 65_535:
        raise ValueError(f'must be an address and a port such as "{DEFAULT_LISTEN}"')
    return match[1].strip("[]"), int(match[2])


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can reach the host; a name other than localhost may not be."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
