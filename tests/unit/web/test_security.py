from __future__ import annotations

import pytest
from fakes.clock import FakeClock

from syncd.web.security import PEERS_REMEMBERED, PeerWindow, is_loopback


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "127.255.0.9", "::1"])
def test_names_of_this_machine_are_loopback(name: str) -> None:
    assert is_loopback(name)


@pytest.mark.parametrize(
    "name",
    ["", "0.0.0.0/0", "::", "10.0.0.1", "127.1", "0x7f.0.0.1", "localhost.", "my.local", "::2"],
)
def test_everything_else_is_not(name: str) -> None:
    assert not is_loopback(name)


async def test_window_slides(clock: FakeClock) -> None:
    window = PeerWindow(clock, limit=2)
    first = [window.allows("peer") for _ in range(3)]
    await clock.advance(60)

    later = window.allows("peer")

    assert (first, later) == ([True, True, False], True)


def test_peers_are_counted_apart_and_forgotten_in_order(clock: FakeClock) -> None:
    window = PeerWindow(clock, limit=1)
    window.allows("first")
    for number in range(PEERS_REMEMBERED):
        assert window.allows(str(number))

    assert window.allows("first")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()
