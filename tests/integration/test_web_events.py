"""The event stream over real sockets: order, replay, clients that lag, stall or stay (S24)."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator

import aiohttp
import pytest
from fakes.control import TOKEN, ControlPort, control_port

from syncd.telemetry.events import AccountChanged, StoreLost
from syncd.web.events import StreamLimits

REQUEST = (
    f"GET /api/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode()
)


@pytest.fixture
async def port() -> AsyncIterator[ControlPort]:
    async with control_port() as port:
        yield port


def lost(number: int) -> StoreLost:
    return StoreLost(error=f"e{number}", retry_seconds=number)


class Stream:
    """A client that follows the stream."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self.answer = answer

    async def next(self) -> dict[str, str]:
        """Return the next event's fields, or an empty dict for a ping."""
        fields = {}
        async with asyncio.timeout(5):
            while (line := await self.answer.content.readline()) not in {b"\n", b""}:
                name, _, value = line.decode().rstrip("\n").partition(": ")
                if name:
                    fields[name] = value
        return {name: value for name, value in fields.items() if name in {"id", "event", "data"}}

    async def ended(self) -> bool:
        async with asyncio.timeout(5):
            return await self.answer.content.read() == b""


@contextlib.asynccontextmanager
async def following(port: ControlPort, last_id: str = "") -> AsyncIterator[Stream]:
    headers = {"Last-Event-ID": last_id} if last_id else {}
    async with port.session.get(port.url("/api/events"), headers=headers) as answer:
        assert answer.status == 200, await answer.text()
        yield Stream(answer)


async def _deaf_client(port: ControlPort) -> socket.socket:
    """Open a stream that nobody reads."""
    deaf = socket.socket()
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    deaf.settimeout(0)
    await asyncio.get_running_loop().sock_connect(deaf, ("127.0.0.1", port.server.port))
    await asyncio.get_running_loop().sock_sendall(deaf, REQUEST)
    await asyncio.get_running_loop().sock_recv(deaf, 1)
    return deaf


async def _flood(port: ControlPort, events: int = 400) -> None:
    for _ in range(events):
        port.bus.emit(StoreLost(error="x" * 4000, retry_seconds=0))
        await asyncio.sleep(0)


async def test_stream_tells_what_happens_in_order(port: ControlPort) -> None:
    async with following(port) as stream:
        opened = await stream.next()
        port.bus.emit(lost(1))
        port.bus.emit(
            AccountChanged(platform="github", account_id=1, user_key="a\nb", change="renamed")
        )
        first, second = await stream.next(), await stream.next()

    assert opened == {}
    assert (first["event"], first["data"]) == ("store.lost", '{"error":"e1","retry_seconds":1}')
    assert second["event"] == "account.changed"
    assert '"user_key":"a\\nb"' in second["data"]
    assert stream.answer.headers["Content-Type"] == "text/event-stream"
    assert stream.answer.headers["Cache-Control"] == "no-store"


async def test_client_that_comes_back_gets_what_it_missed(port: ControlPort) -> None:
    async with following(port) as stream:
        await stream.next()
        port.bus.emit(lost(1))
        last = (await stream.next())["id"]
    port.bus.emit(lost(2))
    port.bus.emit(lost(3))

    async with following(port, last) as stream:
        await stream.next()
        missed = [(await stream.next())["data"] for _ in range(2)]

    assert missed == ['{"error":"e2","retry_seconds":2}', '{"error":"e3","retry_seconds":3}']


@pytest.mark.parametrize("last_id", ["elsewhere-1", "7", "-", "x-" + "9" * 30])
async def test_client_of_another_process_is_told_to_start_anew(
    port: ControlPort, last_id: str
) -> None:
    port.bus.emit(lost(1))

    async with following(port, last_id) as stream:
        event = await stream.next()

    assert event["event"] == "resync"


async def test_client_that_was_away_too_long_is_told_to_start_anew() -> None:
    async with control_port(streams=StreamLimits(kept_events=2)) as port:
        async with following(port) as stream:
            await stream.next()
            port.bus.emit(lost(1))
            last = (await stream.next())["id"]
        for number in range(2, 6):
            port.bus.emit(lost(number))

        async with following(port, last) as stream:
            event = await stream.next()

    assert event["event"] == "resync"


async def test_client_that_falls_behind_gets_one_resync_instead() -> None:
    async with (
        control_port(streams=StreamLimits(waiting_events=5)) as port,
        following(port) as stream,
    ):
        await stream.next()
        for number in range(6):  # nobody else runs in between
            port.bus.emit(lost(number))
        port.bus.emit(lost(7))
        events = [await stream.next() for _ in range(2)]

    assert [event["event"] for event in events] == ["resync", "store.lost"]
    assert '"error":"e7"' in events[1]["data"]


async def test_silence_is_broken_by_pings() -> None:
    async with (
        control_port(streams=StreamLimits(ping_seconds=0.02)) as port,
        following(port) as stream,
    ):
        pings = [await stream.next() for _ in range(3)]

    assert pings == [{}, {}, {}]


async def test_seventeenth_stream_is_refused(port: ControlPort) -> None:
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(16):
            await stack.enter_async_context(following(port))

        status, body = await port.ask("GET", "/api/events")

    assert (status, body["hint"][:5]) == (503, "close")


async def test_streams_whose_clients_left_make_room(port: ControlPort) -> None:
    for _ in range(20):
        async with following(port) as stream:
            await stream.next()

    status = stream.answer.status

    assert status == 200


async def test_stream_needs_the_token(port: ControlPort) -> None:
    status, _ = await port.ask("GET", "/api/events", None, {"Authorization": "Bearer no"})

    assert status == 401


async def test_client_that_never_reads_is_cut_off_and_others_go_on() -> None:  # S24
    limits = StreamLimits(stall_seconds=0.2, waiting_events=100_000)
    async with control_port(streams=limits) as port:
        deaf = await _deaf_client(port)
        async with following(port) as stream:
            await stream.next()
            await _flood(port)
            heard = [(await stream.next())["event"] for _ in range(400)]
            cut_off = await _read_to_end(deaf)

    assert heard == ["store.lost"] * 400
    assert cut_off < 1_600_000  # it did not get all of it


async def _read_to_end(deaf: socket.socket) -> int:
    """Wait until the server has cut the connection; return how much was still to be read."""
    loop = asyncio.get_running_loop()
    poller = asyncio.Event()
    loop.call_later(0.6, poller.set)
    await poller.wait()
    total = 0
    with contextlib.suppress(ConnectionError):
        while part := await loop.sock_recv(deaf, 1 << 20):
            total += len(part)
    deaf.close()
    return total


async def test_stop_takes_less_than_two_seconds_with_open_streams() -> None:  # FAULTS 15
    async with contextlib.AsyncExitStack() as clients:
        async with control_port() as port:
            for _ in range(2):
                clients.callback((await _deaf_client(port)).close)
            await _flood(port)
            streams = [await clients.enter_async_context(following(port)) for _ in range(3)]

            begun = time.monotonic()
            await port.server.__aexit__(None, None, None)
            duration = time.monotonic() - begun

        assert duration < 2
        assert [await stream.next() for stream in streams] == [{}] * 3
        assert [await stream.ended() for stream in streams] == [True] * 3
