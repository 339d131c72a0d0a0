"""Requests that carry secrets of a user, or must not be sent twice: on the wire, and as told."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import pytest
from fakes.raw_server import http

from syncd.clock import SystemClock
from syncd.errors import BadPayload, PlatformBlocked, PlatformDown, RateLimited, SyncdError
from syncd.outbound.answers import judge_by_status
from syncd.outbound.client import PlatformClient
from syncd.outbound.credentials import Credential
from syncd.outbound.limits import Limits
from syncd.outbound.request import Endpoint, Request
from syncd.outbound.retry import RetryPolicy
from syncd.telemetry.bus import Bus
from syncd.telemetry.events import Event

JSON = "Content-Type: application/json"
ACCESS = "canary-access/token+7="
REFRESH = "canary-refresh/token+7="
SECRET = "canary-client-secret"
READ = Request(segments=("me",), authorization=f"Bearer {ACCESS}", about="7")
RENEW = Request(
    method="POST",
    segments=("token",),
    form={"grant_type": "refresh_token", "refresh_token": REFRESH},
    about="7",
    is_repeatable=False,
    tells_secrets=True,
)


class Peer:
    """A server that answers the requests of a connection, or ends it, and keeps what it got."""

    def __init__(self, says: list[bytes | None], *, closes: bool) -> None:
        self.got: list[str] = []
        self.talks: list[asyncio.Task[None] | None] = []
        self.port = 0
        self._says = says
        self._closes = closes

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.talks.append(asyncio.current_task())
        with contextlib.suppress(ConnectionError):
            while request := await self._request(reader):
                self.got.append(request)
                answer = self._says.pop(0) if len(self._says) > 1 else self._says[0]
                writer.write(answer or b"")
                await writer.drain()
                if self._closes or answer is None:
                    break
            writer.close()
            await writer.wait_closed()

    async def _request(self, reader: asyncio.StreamReader) -> str:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return ""
        length = 0
        for line in head.decode().split("\r\n"):
            name, _, value = line.partition(": ")
            length = int(value) if name.lower() == "content-length" else length
        return (head + await reader.readexactly(length)).decode()


@asynccontextmanager
async def peer(*says: bytes | None, closes: bool = False) -> AsyncIterator[Peer]:
    """Answer with each of `says` in turn, and with the last one for ever; None: not at all."""
    made = Peer(list(says), closes=closes)
    server = await asyncio.start_server(made.talk, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    async with server:
        yield made
    await asyncio.gather(*filter(None, made.talks))


@asynccontextmanager
async def asking(port: int, told: list[Event] | None = None) -> AsyncIterator[PlatformClient]:
    bus = Bus()
    endpoint = Endpoint(
        platform="spotify",
        base_url=f"http://127.0.0.1:{port}",
        credential=Credential.basic("main", "app1", SECRET),
        limits=Limits(rate=1_000, burst=100, slots=5, timeout_seconds=1),
        allow_private=True,
        retry=RetryPolicy(attempts=3, first_seconds=0.001),
    )
    client = PlatformClient(
        endpoint, judge_by_status, clock=SystemClock(), bus=bus, random=Random(1)
    )
    with bus.subscribed((told if told is not None else []).append):
        async with client:
            yield client


def good(data: Any) -> bytes:
    return http(json.dumps(data).encode(), JSON)


async def test_authorization_of_a_request_stands_in_for_the_clients_own() -> None:
    async with peer(good({"id": 1})) as server, asking(server.port) as client:
        await client.request(READ)
        await client.request(Request(segments=("me",)))
        await client.request(READ)

    sent = [
        [line for line in got.split("\r\n") if line.lower().startswith("authorization")]
        for got in server.got
    ]
    assert sent[0] == sent[2] == [f"Authorization: Bearer {ACCESS}"]
    assert [line[:20] for line in sent[1]] == ["Authorization: Basic"]


async def test_form_is_sent_urlencoded_as_the_app() -> None:
    async with peer(good({})) as server, asking(server.port) as client:
        await client.request(RENEW)

    [got] = server.got
    assert "Content-Type: application/x-www-form-urlencoded\r\n" in got
    assert "Authorization: Basic " in got
    assert got.endswith(
        "\r\n\r\ngrant_type=refresh_token&refresh_token=canary-refresh%2Ftoken%2B7%3D"
    )


async def test_good_answer_that_tells_secrets_is_read_as_it_is_and_never_shown() -> None:
    told = {"access_token": ACCESS, "refresh_token": REFRESH}
    async with peer(good(told)) as server, asking(server.port) as client:
        response = await client.request(RENEW)

    assert response.data == told
    assert response.body == b"***"
    assert "canary" not in repr(response)


ECHOES = [ACCESS, REFRESH, SECRET, ACCESS.replace("/", "\\/"), "canary-refresh%2Ftoken%2B7%3D"]


@pytest.mark.parametrize("request_of", [READ, RENEW], ids=["read", "renew"])
@pytest.mark.parametrize(
    "answer",
    [
        http(b"echo: {}", JSON, status="400 Bad Request", length=-1),
        http(b"echo: {}", JSON, status="403 Forbidden", length=-1),
        http(b"echo: {}", JSON, status="500 Sorry", length=-1),
        http(b"echo: {}", "Retry-After: 900", status="429 Slow down", length=-1),
        http(b"echo: {}", JSON, length=-1),
        http(b'{"echo": "{}', JSON, length=-1),
        http(b"<html>{}</html>", "Content-Type: text/html", length=-1),
        http(b"", JSON, "X-Echo: {}"),
        b"HTTP/1.1 200 OK\r\nX-Echo {}\r\n\r\n",
        b"{}",
    ],
)
async def test_nothing_that_is_told_holds_a_secret_whatever_is_echoed(
    request_of: Request, answer: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    # A request only knows the secrets it was sent with itself.
    own = ECHOES[:1] + ECHOES[2:4] if request_of is READ else ECHOES[1:3] + ECHOES[4:]
    echo = " ".join(own)
    echoing = answer.replace(b"{}", echo.encode())
    told: list[Event] = []

    with caplog.at_level(logging.DEBUG):
        async with peer(echoing, closes=True) as server, asking(server.port, told) as client:
            try:
                response = await client.request(request_of)
                shown = f"{response!r}{response.body!r}"
            except SyncdError as error:
                lines = traceback.format_exception(error)
                shown = f"{error!r}{error.hint}{''.join(lines)}{getattr(error, 'sample', '')}"

    assert "canary" not in f"{shown}{told}{caplog.text}{request_of!r}"


@pytest.mark.parametrize("answer", [None, b"HTTP/1.1 200 OK\r\nContent-Le"], ids=["none", "cut"])
async def test_request_whose_answer_is_lost_is_sent_once_and_that_is_told(
    answer: bytes | None,
) -> None:
    async with peer(answer, closes=True) as server, asking(server.port) as client:
        with pytest.raises(PlatformDown) as raised:
            await client.request(RENEW)

    assert len(server.got) == 1
    assert raised.value.is_answer_lost


async def test_request_that_may_be_repeated_is() -> None:
    async with peer(None) as server, asking(server.port) as client:
        with pytest.raises(PlatformDown) as raised:
            await client.request(READ)

    assert len(server.got) == 3
    assert raised.value.is_answer_lost


async def test_connection_that_was_kept_is_not_trusted_with_what_must_not_be_repeated() -> None:
    async with peer(good({}), None) as server, asking(server.port) as client:
        await client.request(READ)
        with pytest.raises(PlatformDown):
            await client.request(RENEW)

    assert [got.partition(" ")[0] for got in server.got] == ["GET", "POST"]
    assert len(server.talks) == 2


async def test_good_answer_that_is_cut_off_is_a_lost_one() -> None:
    cut_off = http(b'{"access_token": "canary-', JSON, length=80)
    async with peer(cut_off, closes=True) as server, asking(server.port) as client:
        with pytest.raises(PlatformDown, match="cut off") as raised:
            await client.request(RENEW)

    assert len(server.got) == 1
    assert raised.value.is_answer_lost


@pytest.mark.parametrize("body", [b"canary-access", b'{"access_token": "canary-', b"", b"NaN"])
async def test_good_answer_that_cannot_be_read_is_not_asked_for_again(body: bytes) -> None:
    async with peer(http(body, JSON)) as server, asking(server.port) as client:
        with pytest.raises(BadPayload) as raised:
            await client.request(RENEW)

    assert len(server.got) == 1
    assert "canary" not in f"{raised.value}{raised.value.sample}"


@pytest.mark.parametrize("status", ["500 Sorry", "502 Bad Gateway", "504 Timeout", "408 Timeout"])
async def test_failure_after_which_it_may_have_been_done_is_not_repeated(status: str) -> None:
    async with peer(http(b"", status=status)) as server, asking(server.port) as client:
        with pytest.raises(PlatformDown) as raised:
            await client.request(RENEW)

    assert len(server.got) == 1
    assert raised.value.is_answer_lost


async def test_who_is_told_to_come_later_comes_again() -> None:
    later = http(b"", "Retry-After: 1", status="429 Slow down")
    async with peer(later, good({"ok": True})) as server, asking(server.port) as client:
        response = await client.request(RENEW)

    assert (response.data, len(server.got)) == ({"ok": True}, 2)


async def test_who_is_told_to_come_much_later_is_told_when() -> None:
    later = http(b"", "Retry-After: 80000", status="429 Slow down")
    async with peer(later) as server, asking(server.port) as client:
        with pytest.raises(RateLimited):
            await client.request(RENEW)
        assert client.gate.pauses.left_seconds() > 79_000

    assert len(server.got) == 1


async def test_what_never_left_is_tried_again_and_nothing_is_lost() -> None:
    async with peer(good({})) as server:
        port = server.port
    async with asking(port) as client:
        with pytest.raises(PlatformDown) as raised:
            await client.request(RENEW)

    assert not raised.value.is_answer_lost


async def test_platform_that_closes_by_a_lost_answer_still_says_that_it_was_lost() -> None:
    async with peer(None) as server, asking(server.port) as client:
        lost = []
        for number in range(25):
            request = Request(
                method="POST", segments=("token",), form={}, about=str(number), is_repeatable=False
            )
            with pytest.raises(PlatformDown) as raised:
                await client.request(request)
            lost.append(raised.value.is_answer_lost)

    assert len(server.got) == 20
    assert lost == [True] * 20 + [False] * 5


async def test_users_at_one_address_are_told_apart_by_whom_it_is_about() -> None:
    refused = http(b"no", status="403 Forbidden")
    async with peer(refused) as server, asking(server.port) as client:
        for _ in range(10):
            with pytest.raises(PlatformBlocked):
                await client.request(READ)
        assert client.gate.breaker.state == "closed"
        for about in "abcd":
            with pytest.raises(PlatformBlocked):
                await client.request(Request(segments=("me",), about=about))

        assert client.gate.breaker.state == "open"
