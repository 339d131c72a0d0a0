"""Which addresses belong to the internet at large: one rule for config.toml and for connecting."""

from __future__ import annotations

from ipaddress import IPv6Address, IPv6Network, ip_address

# Python 3.11 calls global what lies outside of the first, some of which leads into our own network
# (NAT64 and ::127.0.0.1 hold an IPv4 address, fec0::/10 is local), and the second, 6to4.
_UNICAST = IPv6Network("2000::/3")
_SIX_TO_FOUR = IPv6Network("2002::/16")


def is_public(address: str) -> bool:
    """Tell whether an IP address belongs to the internet at large; False if it is none."""
    try:
        ip = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    if isinstance(ip, IPv6Address) and (ip not in _UNICAST or ip in _SIX_TO_FOUR):
        return False
    return ip.is_global and not ip.is_multicast


def is_literal(host: str) -> bool:
    """Tell whether a host is taken for an IP address and never looked up.

    The rule is aiohttp's, which also takes `127.1` and `2130706433` for one.
    """
    return ":" in host or host.replace(".", "").isdigit()


def may_be_public(host: str) -> bool:
    """Tell whether a host may lie on the public net: no literal that does not, not localhost.

    A name is taken for public; what it resolves to is looked at when connecting.
    """
    if is_literal(host):
        return is_public(host)
    name = host.lower()
    return name.rstrip(".") != "localhost" and not name.endswith(".localhost")
