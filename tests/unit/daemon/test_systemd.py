from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes.clock import FakeClock

from syncd.daemon.systemd import Notifier


@pytest.fixture(params=["path", "abstract"])
def heard(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[socket.socket]:
    """The socket of a service manager."""
    is_path = request.param == "path"
    name = str(tmp_path / "notify") if is_path else f"\0syncd-unit-{secrets.token_hex(8)}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as listener:
        listener.bind(name)
        yield listener


def address_of(listener: socket.socket) -> str:
    name = listener.getsockname()
    return f"@{name[1:].decode()}" if isinstance(name, bytes) else name


def notifier(listener: socket.socket, **more: str) -> Notifier:
    return Notifier({"NOTIFY_SOCKET": address_of(listener), **more}, FakeClock())


def all_of(listener: socket.socket) -> list[str]:
    messages = []
    while True:
        try:
            messages.append(listener.recv(4096).decode())
        except BlockingIOError:
            return messages


def test_each_message_is_one_datagram_in_the_words_of_systemd(heard: socket.socket) -> None:
    told = notifier(heard, WATCHDOG_USEC="60000000")

    told.extend(60)
    told.ready("0 running")
    told.alive()
    told.stopping("stopping")

    assert all_of(heard) == [
        "EXTEND_TIMEOUT_USEC=60000000",
        "READY=1\nSTATUS=0 running",
        "WATCHDOG=1",
        "STOPPING=1\nSTATUS=stopping",
    ]


async def test_reload_carries_the_instant_on_the_monotonic_clock(heard: socket.socket) -> None:
    clock = FakeClock()
    await clock.advance(12.345678)
    told = Notifier({"NOTIFY_SOCKET": address_of(heard)}, clock)

    told.reloading()
    told.ready()

    assert all_of(heard) == ["RELOADING=1\nMONOTONIC_USEC=12345678", "READY=1"]


def test_status_is_one_line_of_bounded_length_and_said_when_it_changes(
    heard: socket.socket,
) -> None:
    told = notifier(heard)

    for text in ("one\nREADY=1", "one\nREADY=1", "x" * 1_000, ""):
        told.status(text)

    assert all_of(heard) == ["STATUS=one READY=1", f"STATUS={'x' * 200}"]


def test_what_the_manager_has_no_room_for_is_told_later_in_order(heard: socket.socket) -> None:
    told = notifier(heard)
    # How many datagrams may wait at a socket: net.unix.max_dgram_qlen.
    room = int(Path("/proc/sys/net/unix/max_dgram_qlen").read_text()) + 1
    for number in range(room):
        told.status(f"line {number}")

    told.ready("up")
    told.stopping("going")
    before = all_of(heard)
    told.status("gone")
    after = all_of(heard)

    assert before[-1] == f"STATUS=line {room - 1}"
    assert after == ["READY=1\nSTATUS=up", "STOPPING=1\nSTATUS=going", "STATUS=gone"]


@pytest.mark.parametrize("address", ["", "/nowhere/notify", "@nobody-listens", "vsock:2:1234"])
def test_nothing_happens_where_nobody_listens(address: str) -> None:
    told = Notifier({"NOTIFY_SOCKET": address} if address else {}, FakeClock())

    told.ready("up")
    told.reloading()
    told.stopping()


@pytest.mark.parametrize(
    ("environ", "seconds"),
    [
        ({"WATCHDOG_USEC": "60000000"}, 60),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": str(os.getpid())}, 60),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "1"}, 0),
        ({"WATCHDOG_USEC": "soon"}, 0),
        ({"WATCHDOG_USEC": ""}, 0),
        ({}, 0),
    ],
)
def test_pings_are_sent_when_the_manager_wants_them_from_this_process(
    heard: socket.socket, environ: dict[str, str], seconds: float
) -> None:
    told = notifier(heard, **environ)

    told.alive()

    assert told.watchdog_seconds == seconds
    assert all_of(heard) == (["WATCHDOG=1"] if seconds else [])
