"""What goes over a connection, and what becomes of it between two requests."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from random import Random

import pytest
from fakes.raw_server import http, raw_server
from fakes.waiting import until

from syncd.clock import SystemClock
from syncd.errors import PlatformDown
from syncd.outbound.answers import judge_by_status
from syncd.outbound.client import PlatformClient
from syncd.outbound.credentials import Credential
from syncd.outbound.limits import Limits
from syncd.outbound.request import Endpoint, Request
from syncd.outbound.retry import RetryPolicy
from syncd.telemetry.bus import Bus

ASK = Request(segments=("users", "octocat"))
GOOD = http(b'{"id": 1}', "Content-Type: application/json")


class Server:
    """Hears whole requests; each connection is a list of them."""

    def __init__(self) -> None:
        self.connections: list[list[bytes]] = []
        self.talks: set[asyncio.Task[None]] = set()
        self.answers: Callable[[int, int], Awaitable[bytes | None]] = self.good

    async def good(self, connection: int, number: int) -> bytes | None:
        del connection, number
        return GOOD

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.talks.add(task)
        heard: list[bytes] = []
        self.connections.append(heard)
        place = len(self.connections)
        over = (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError)
        with contextlib.suppress(*over):
            while True:
                heard.append(await reader.readuntil(b"\r\n\r\n"))
                answer = await self.answers(place, len(heard))
                if answer is None:
                    break
                writer.write(answer)
        writer.close()


@contextlib.asynccontextmanager
async def talking(
    server: Server, *, attempts: int = 1, accept: str = "text/plain"
) -> AsyncIterator[PlatformClient]:
    listener = await asyncio.start_server(server.talk, "127.0.0.1", 0)
    endpoint = Endpoint(
        platform="github",
        base_url=f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}",
        credential=Credential.bearer("main", "s3cret"),
        limits=Limits(rate=1_000, burst=100, slots=5, timeout_seconds=5),
        headers={"Accept": accept},
        allow_private=True,
        retry=RetryPolicy(attempts=attempts, first_seconds=0.001),
    )
    client = PlatformClient(
        endpoint, judge_by_status, clock=SystemClock(), bus=Bus(), random=Random(1)
    )
    try:
        async with client:
            yield client
    finally:
        listener.close()
        for task in server.talks:
            task.cancel()
        await asyncio.gather(*server.talks)


async def test_requests_after_each_other_share_a_connection() -> None:
    server = Server()

    async with talking(server) as client:
        for _ in range(5):
            assert (await client.request(ASK)).data == {"id": 1}

    assert [len(heard) for heard in server.connections] == [5]


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_kept_connection_that_the_server_gives_up_costs_no_attempt(method: str) -> None:
    server = Server()

    async def closes_at_the_second(connection: int, number: int) -> bytes | None:
        return None if (connection, number) == (1, 2) else GOOD

    server.answers = closes_at_the_second

    async with talking(server) as client:
        for _ in range(3):
            ask = Request(segments=("graphql",), method=method)
            assert (await client.request(ask)).data == {"id": 1}

        assert client.gate.calls == 3
    assert [len(heard) for heard in server.connections] == [2, 2]


async def test_what_is_dropped_on_a_new_connection_leaves_no_oftener_than_the_gate_counts() -> None:
    server = Server()

    async def never(connection: int, number: int) -> bytes | None:
        del connection, number
        return None

    server.answers = never

    async with talking(server, attempts=3) as client:
        with pytest.raises(PlatformDown):
            await client.request(ASK)

        counted = client.gate.calls
    assert sum(len(heard) for heard in server.connections) == counted == 3


async def test_what_is_dropped_on_a_kept_connection_is_sent_again_only_once() -> None:
    server = Server()

    async def answers_the_first_alone(connection: int, number: int) -> bytes | None:
        return GOOD if (connection, number) == (1, 1) else None

    server.answers = answers_the_first_alone

    async with talking(server) as client:
        await client.request(ASK)
        with pytest.raises(PlatformDown):
            await client.request(ASK)

    assert [len(heard) for heard in server.connections] == [2, 1]


async def test_an_answer_with_connection_close_ends_the_connection() -> None:
    server = Server()

    async def closing(connection: int, number: int) -> bytes | None:
        del connection, number
        return http(b'{"id": 1}', "Connection: close")

    server.answers = closing

    async with talking(server) as client:
        for _ in range(2):
            await client.request(ASK)

    assert [len(heard) for heard in server.connections] == [1, 1]


async def test_a_header_of_a_request_stands_in_for_one_of_every_request() -> None:
    server = Server()

    async with talking(server, accept="application/json") as client:
        await client.request(Request(segments=("x",), headers={"accept": "text/html"}))
        await client.request(ASK)

    first, second = server.connections[0]
    assert first.lower().count(b"\r\naccept:") == 1
    assert b"\r\naccept: text/html\r\n" in first
    assert b"\r\nAccept: application/json\r\n" in second
    assert first.count(b"\r\nAuthorization: Bearer s3cret\r\n") == 1


@pytest.mark.parametrize("value", ["a\r\nInjected: 1", "a\nb", "a\0b"])
async def test_a_header_that_would_begin_another_line_never_leaves(value: str) -> None:
    server = Server()

    async with talking(server) as client:
        with pytest.raises(ValueError, match="control character") as caught:
            await client.request(Request(segments=("x",), headers={"X-Own": value}))
        assert client.gate.in_flight == 0

    assert value not in str(caught.value)
    assert not any(server.connections)


async def test_interim_answers_are_passed_over() -> None:
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"

    async with raw_server(hints + GOOD) as port:
        endpoint = Endpoint(
            platform="github",
            base_url=f"http://127.0.0.1:{port}",
            credential=Credential.anonymous(),
            limits=Limits(rate=1_000, slots=5, timeout_seconds=5),
            allow_private=True,
        )
        client = PlatformClient(
            endpoint, judge_by_status, clock=SystemClock(), bus=Bus(), random=Random(1)
        )
        async with client:
            response = await client.request(ASK)

    assert (response.status, response.data) == (200, {"id": 1})


async def test_what_must_not_be_repeated_takes_a_connection_of_its_own_and_leaves_none() -> None:
    server = Server()
    once = Request(segments=("users", "octocat"), is_repeatable=False)
    async with talking(server) as client:
        for _ in range(5):
            await client.request(once)

        async def are_closed() -> bool:
            return all(talk.done() for talk in server.talks)

        await until(are_closed, what="the end of its connections", seconds=5)

    assert [len(heard) for heard in server.connections] == [1] * 5
