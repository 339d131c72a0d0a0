from __future__ import annotations

import pytest

from syncd.config.addresses import is_literal, is_public, may_be_public


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
        "::127.0.0.1",
        "64:ff9b:1::7f00:1",
        "fec0::1",
        "2001:db8::1",
        "2001::7f00:1",
        "100.127.255.254",
        "198.18.0.1",
        "192.0.2.1",
        "240.0.0.1",
        "239.255.255.250",
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


@pytest.mark.parametrize(
    ("host", "public"),
    [
        ("api.github.com", True),
        ("140.82.112.6", True),
        ("127.0.0.1", False),
        ("127.1", False),
        ("2130706433", False),
        ("10.0.0.1", False),
        ("100.64.0.1", False),
        ("169.254.169.254", False),
        ("224.0.0.1", False),
        ("::1", False),
        ("64:ff9b::a9fe:a9fe", False),
        ("2002:7f00:1::", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:140.82.121.6", True),
        ("fd00::1", False),
        ("localhost", False),
        ("localhost.", False),
        ("api.localhost", False),
    ],
)
def test_private_and_local_addresses_are_not_public(host: str, public: bool) -> None:
    assert may_be_public(host) is public
