from __future__ import annotations

import pytest

from syncd.config.listen import is_loopback, split_listen


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [("127.0.0.1:8642", "127.0.0.1", 8642), ("[::1]:0", "::1", 0), ("localhost:1", "localhost", 1)],
)
def test_an_address_with_a_port_is_taken_apart(text: str, host: str, port: int) -> None:
    assert split_listen(text) == (host, port)


@pytest.mark.parametrize("text", ["", "8642", "127.0.0.1", "::1:8642", "a b:1", "x:65536", "x:-1"])
def test_what_is_no_address_with_a_port_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be an address and a port"):
        split_listen(text)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("LOCALHOST", True),
        ("0.0.0.0", False),  # noqa: S104  # no socket is bound here
        ("::", False),
        ("192.168.1.1", False),
        ("example.org", False),
    ],
)
def test_only_what_this_machine_alone_can_reach_is_loopback(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback
