"""Where we may connect to: public addresses, unless the operator says otherwise."""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from syncd.errors import PlatformError

# Python 3.11 calls these global although they lead to addresses of our own network: NAT64 and
# 6to4 hold an IPv4 address inside.
TRANSLATED = (IPv6Network("64:ff9b::/96"), IPv6Network("2002::/16"))


HINT = "set allow_private = true if this address is meant"


def is_public(address: str) -> bool:
    """Tell whether an IP address belongs to the internet at large; False if it is none."""
    try:
        ip = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    return ip.is_global and not ip.is_multicast and not _is_translated(ip)


def is_literal(host: str) -> bool:
    """Tell whether a host is taken for an IP address and never looked up.

    The rule is aiohttp's, which also takes `127.1` and `2130706433` for one.
    """
    return ":" in host or host.replace(".", "").isdigit()


class PublicResolver(AbstractResolver):
    """Look hosts up and keep their public addresses only.

    The addresses returned are the ones connected to, so a name cannot mean something else later.
    """

    def __init__(self, inner: AbstractResolver | None = None) -> None:
        self._inner = inner or ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the public addresses of `host`.

        Raises:
            PlatformError: it has others only.
        """
        found = await self._inner.resolve(host, port, family)
        public = [result for result in found if is_public(result["host"])]
        if not public:
            raise PlatformError(f"{host} has no public address", hint=HINT)
        return public

    async def close(self) -> None:
        """Close the inner resolver."""
        await self._inner.close()


def _is_translated(ip: IPv4Address | IPv6Address) -> bool:
    return isinstance(ip, IPv6Address) and any(ip in network for network in TRANSLATED)
