from __future__ import annotations

import socket

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from syncd.errors import PlatformError
from syncd.outbound.addresses import PublicResolver, is_literal, is_public


class Names(AbstractResolver):
    def __init__(self, *addresses: str) -> None:
        self._addresses = addresses

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [
            ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=0)
            for address in self._addresses
        ]

    async def close(self) -> None:
        pass


@pytest.mark.parametrize("address", ["140.82.121.6", "2606:50c0:8000::153", "::ffff:140.82.121.6"])
def test_addresses_of_the_internet_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",  # noqa: S104
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1%eth0",
        "fd00::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "2002:7f00:1::",
        "127.1",
        "2130706433",
        "nonsense",
    ],
)
def test_addresses_that_lead_inside_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1", "2130706433", "::1"])
def test_hosts_that_are_never_looked_up_are_literal(host: str) -> None:
    assert is_literal(host)


def test_a_name_is_not_literal() -> None:
    assert not is_literal("api.github.com")


async def test_only_the_public_addresses_of_a_name_are_connected_to() -> None:
    resolver = PublicResolver(Names("10.0.0.1", "140.82.121.6", "::1"))

    found = await resolver.resolve("api.example", 443)

    assert [result["host"] for result in found] == ["140.82.121.6"]


async def test_a_name_with_private_addresses_only_is_refused_with_the_way_out() -> None:
    resolver = PublicResolver(Names("10.0.0.1", "::1"))

    with pytest.raises(PlatformError, match=r"api\.example has no public address") as refusal:
        await resolver.resolve("api.example", 443)

    assert refusal.value.hint == "set allow_private = true if this address is meant"
