"""Posting to addresses of people: where we never go, whom we trust, and what is reused."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import traceback
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp.abc import AbstractResolver
from fakes.certificates import Authority
from fakes.names import Names
from fakes.raw_server import http, raw_server

from syncd.clock import SystemClock
from syncd.errors import DeliveryError, DeliveryUnknown, Reach
from syncd.outbound.post import Poster
from syncd.outbound.request import Request

SECRET = "s3cretPathOfThePost"
ONCE = Request(segments=(), method="POST", json={"a": 1}, is_repeatable=False)
AGAIN = Request(segments=(), method="POST", content=b"\0\1")


class Counting:
    """Counts connections and requests; answers each with 200."""

    def __init__(self) -> None:
        self.connections = 0
        self.requests: list[bytes] = []
        self.talks: set[asyncio.Task[None]] = set()

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self.talks.add(task)
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            while data := await reader.read(65_536):
                self.requests.append(data)
                writer.write(http(b'{"ok": 1}'))
                await writer.drain()
        writer.close()
        self.talks.discard(task)


@contextlib.asynccontextmanager
async def counting(tls: ssl.SSLContext | None = None) -> AsyncIterator[tuple[Counting, int]]:
    server = Counting()
    listening = await asyncio.start_server(server.talk, "127.0.0.1", 0, ssl=tls)
    try:
        yield server, listening.sockets[0].getsockname()[1]
    finally:
        listening.close()
        for task in server.talks:
            task.cancel()
        await asyncio.gather(*server.talks)


def poster(
    *, allow_private: bool = True, is_ours: bool = False, resolver: AbstractResolver | None = None
) -> Poster:
    made = Poster(
        "cannot deliver",
        clock=SystemClock(),
        timeout_seconds=5,
        allow_private=allow_private,
        is_ours=is_ours,
    )
    made.resolver = resolver or made.resolver
    return made


async def refusal(made: Poster, url: str, request: Request = ONCE) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        async with made:
            await made.post(url, request, {"Authorization": f"Bearer {SECRET}"})
    assert SECRET not in "".join(traceback.format_exception(caught.value))
    return caught.value


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.1", "2130706433", "0x7f000001", "0x7f.1", "localhost", "[::ffff:127.0.0.1]"],
)
@pytest.mark.parametrize("is_ours", [True, False])
async def test_nothing_that_leads_inside_is_connected_to(host: str, is_ours: bool) -> None:  # S30
    async with counting() as (server, port):
        made = poster(allow_private=False, is_ours=is_ours)
        error = await refusal(made, f"http://{host}:{port}/{SECRET}")

    assert error.permanent
    assert (error.reach is Reach.CHANNEL) is is_ours
    assert "allow_private" in (error.hint or "")
    assert server.connections == 0


async def test_a_name_that_leads_inside_at_the_moment_of_connecting_is_refused() -> None:  # S30
    names = Names("127.0.0.1", "::1", "100.64.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "224.0.0.1")
    async with counting() as (server, port):
        made = poster(allow_private=False, resolver=names)
        error = await refusal(made, f"http://rebound.example.net:{port}/{SECRET}")

    assert error.permanent
    assert error.reach is Reach.DELIVERY, "names can be mended: the address is not given up"
    assert server.connections == 0


async def test_a_name_that_is_not_found_may_be_found_later() -> None:
    error = await refusal(poster(), f"https://nobody.invalid/{SECRET}")

    assert not error.permanent
    assert not isinstance(error, DeliveryUnknown)


async def test_an_address_that_cannot_be_read_is_no_address() -> None:
    error = await refusal(poster(), "https://[::1/x")

    assert (error.permanent, error.reach) == (True, Reach.ADDRESS)


async def test_connections_are_reused_for_what_may_be_repeated_only() -> None:
    async with counting() as (server, port), poster() as made:
        for _ in range(3):
            await made.post(f"http://127.0.0.1:{port}/a", AGAIN)
        reused = server.connections
        for _ in range(3):
            await made.post(f"http://127.0.0.1:{port}/a", ONCE)

    assert reused == 1
    assert server.connections == 4


async def test_what_is_posted_is_what_was_given() -> None:
    async with counting() as (server, port), poster() as made:
        reply = await made.post(f"http://127.0.0.1:{port}/a%2Fb?c=d%20e", AGAIN, {"X-Me": "me"})

    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /a%2Fb?c=d%20e HTTP/1.1\r\n")
    assert b"\r\nX-Me: me" in head
    assert b"\r\nContent-Type: application/octet-stream" in head
    assert body == b"\0\1"
    assert (reply.status, reply.data) == (200, {"ok": 1})


async def test_of_many_origins_those_used_last_keep_their_connections() -> None:
    async with contextlib.AsyncExitStack() as served, poster() as made:
        servers = [await served.enter_async_context(counting()) for _ in range(70)]
        for _, port in servers:
            await made.post(f"http://127.0.0.1:{port}/a", AGAIN)

        for _, port in (servers[-1], servers[0]):
            await made.post(f"http://127.0.0.1:{port}/a", AGAIN)

        assert (servers[-1][0].connections, servers[0][0].connections) == (1, 2)


@pytest.mark.parametrize(
    ("host", "days", "is_trusted"),
    [("127.0.0.1", 1, True), ("10.9.8.7", 1, False), ("127.0.0.1", -1, False)],
)
async def test_a_certificate_must_be_for_the_host_and_of_today(
    tmp_path: Path, host: str, days: int, is_trusted: bool
) -> None:  # S41
    authority = Authority.make(tmp_path)
    async with counting(authority.server(host=host, days=days)) as (server, port):
        made = poster()
        made.tls = ssl.create_default_context(cafile=authority.path)
        url = f"https://127.0.0.1:{port}/{SECRET}"
        if is_trusted:
            async with made:
                await made.post(url, ONCE)
        else:
            error = await refusal(made, url)
            assert "no trusted TLS connection" in str(error)
            assert not isinstance(error, DeliveryUnknown)

    assert len(server.requests) == int(is_trusted)


async def test_a_certificate_of_nobody_is_not_trusted(tmp_path: Path) -> None:  # S41
    authority = Authority.make(tmp_path)
    async with counting(authority.server()) as (server, port):
        error = await refusal(poster(), f"https://127.0.0.1:{port}/{SECRET}")

    assert "no trusted TLS connection" in str(error)
    assert server.requests == []


async def test_a_proxy_that_heard_nothing_leaves_it_open_whether_it_arrived() -> None:
    async with raw_server(http(b"", status="504 Gateway Timeout")) as port:
        error = await refusal(poster(), f"http://127.0.0.1:{port}/{SECRET}")

    assert isinstance(error, DeliveryUnknown)


@pytest.mark.parametrize(
    "answer", [b"", b"gibberish\r\n\r\n", http(b"half", length=900)], ids=["none", "odd", "half"]
)
async def test_no_whole_answer_leaves_it_open_whether_it_arrived(answer: bytes) -> None:
    async with raw_server(answer) as port:
        once = await refusal(poster(), f"http://127.0.0.1:{port}/{SECRET}")
        again = await refusal(poster(), f"http://127.0.0.1:{port}/{SECRET}", AGAIN)

    assert isinstance(once, DeliveryUnknown)
    assert not isinstance(again, DeliveryUnknown)
    assert not again.permanent
