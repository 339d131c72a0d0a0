from __future__ import annotations

import pytest
from fakes.names import Names

from syncd.errors import PlatformError
from syncd.outbound.addresses import PublicResolver


async def test_only_the_public_addresses_of_a_name_are_connected_to() -> None:
    resolver = PublicResolver(Names("10.0.0.1", "140.82.121.6", "::1"))

    found = await resolver.resolve("api.example", 443)

    assert [result["host"] for result in found] == ["140.82.121.6"]


async def test_a_name_with_private_addresses_only_is_refused_with_the_way_out() -> None:
    resolver = PublicResolver(Names("10.0.0.1", "::1"))

    with pytest.raises(PlatformError, match=r"api\.example has no public address") as refusal:
        await resolver.resolve("api.example", 443)

    assert refusal.value.hint == "set allow_private = true if this address is meant"
