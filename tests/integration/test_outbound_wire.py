"""What can go wrong on the wire, played by servers that say exactly what they are told."""

from __future__ import annotations

import asyncio
import gzip
import re
import socket
import ssl
import traceback
import tracemalloc
from pathlib import Path
from random import Random

import pytest
from fakes.raw_server import http, raw_server

from syncd.clock import SystemClock
from syncd.errors import BadPayload, PlatformBlocked, PlatformDown, PlatformError, SyncdError
from syncd.outbound.answers import Response, judge_by_status
from syncd.outbound.client import PlatformClient
from syncd.outbound.credentials import Credential
from syncd.outbound.limits import Limits
from syncd.outbound.request import MAX_BODY_BYTES, Endpoint, Request
from syncd.outbound.retry import RetryPolicy
from syncd.telemetry.bus import Bus
from syncd.telemetry.events import Event, RequestRetried

SELF_SIGNED = Path(__file__).parents[1] / "data" / "self_signed.pem"
TOKEN = "ghp_s3cretOfTheTest"
JSON = "Content-Type: application/json"
ASK = Request(segments=("users", "octocat"), params={"q": "s3cretQuery"})


class Asked:
    """What came of one request: an answer or an error, and what was told meanwhile."""

    def __init__(self) -> None:
        self.response: Response | None = None
        self.error: SyncdError | None = None
        self.events: list[Event] = []
        self.in_flight = -1
        self.calls = -1

    @property
    def retries(self) -> int:
        return sum(isinstance(event, RequestRetried) for event in self.events)


async def ask(
    base_url: str | int, *, seconds: float = 5, allow_private: bool = True, attempts: int = 3
) -> Asked:
    """Send one request and keep what came of it."""
    asked, bus = Asked(), Bus()
    endpoint = Endpoint(
        platform="github",
        base_url=base_url if isinstance(base_url, str) else f"http://127.0.0.1:{base_url}",
        credential=Credential.bearer("main", TOKEN),
        limits=Limits(rate=1_000, burst=100, slots=5, timeout_seconds=seconds),
        allow_private=allow_private,
        retry=RetryPolicy(attempts=attempts, first_seconds=0.001),
    )
    client = PlatformClient(
        endpoint, judge_by_status, clock=SystemClock(), bus=bus, random=Random(1)
    )
    with bus.subscribed(asked.events.append):
        async with client:
            try:
                asked.response = await client.request(ASK)
            except SyncdError as error:
                asked.error = error
            asked.in_flight, asked.calls = client.gate.in_flight, client.gate.calls
    return asked


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    "says",
    [
        pytest.param(http(b'{"id": 1', JSON, length=100), id="by length"),
        pytest.param(CHUNKED + b'8\r\n{"id": 1\r\n', id="by chunk"),
        pytest.param(CHUNKED + b'30\r\n{"id": 1', id="inside a chunk"),
        pytest.param(http(b'{"id": 1', JSON, length=-1), id="by close"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-", id="inside the headers"),
        pytest.param(b"", id="before the status"),
        pytest.param(b"garbage\r\n\r\n", id="no HTTP at all"),
    ],
)
async def test_a_broken_off_answer_is_tried_again_and_then_the_platform_is_down(
    says: bytes,
) -> None:
    async with raw_server(says) as port:
        asked = await ask(port)

    assert isinstance(asked.error, PlatformDown)
    assert asked.retries == 2
    assert asked.in_flight == 0


async def test_a_hang_after_the_headers_ends_with_the_deadline() -> None:
    async def hang(writer: asyncio.StreamWriter) -> None:
        writer.write(http(b"", JSON, length=10))
        await asyncio.Event().wait()

    async with raw_server(hang) as port:
        asked = await ask(port, seconds=0.3, attempts=1)

    assert isinstance(asked.error, PlatformDown)
    assert "no whole answer in time" in str(asked.error)


async def test_a_body_that_drips_ends_with_the_deadline() -> None:
    async def drip(writer: asyncio.StreamWriter) -> None:
        writer.write(http(b"", JSON, length=1_000))
        while True:
            writer.write(b" ")
            await asyncio.sleep(0.05)

    async with raw_server(drip) as port:
        asked = await ask(port, seconds=0.4, attempts=1)

    assert isinstance(asked.error, PlatformDown)
    assert "no whole answer in time" in str(asked.error)


@pytest.mark.parametrize("body", [b"", b"  "])
async def test_an_empty_answer_is_a_bad_payload_and_not_tried_again(body: bytes) -> None:
    async with raw_server(http(body, JSON)) as port:
        asked = await ask(port)

    assert isinstance(asked.error, BadPayload)
    assert asked.retries == 0


@pytest.mark.parametrize(
    "body",
    [
        b'{"a": NaN}',
        b'{"a": 1e999}',
        b"[" * 100_000 + b"]" * 100_000,
        b"1" * 5_000,
        b"not json",
    ],
)
async def test_garbage_is_a_bad_payload_that_is_never_told_whole(body: bytes) -> None:
    async with raw_server(http(body, JSON)) as port:
        asked = await ask(port)

    assert isinstance(asked.error, BadPayload)
    assert len(str(asked.error)) < 350


async def test_a_web_page_with_status_200_means_that_the_platform_blocks_us() -> None:
    async with raw_server(
        http(b"<html>Just a moment...</html>", "Content-Type: text/html")
    ) as port:
        asked = await ask(port)

    assert isinstance(asked.error, PlatformBlocked)
    assert "<html>Just a moment..." in str(asked.error)
    assert asked.retries == 0


async def test_a_web_page_called_json_with_status_503_means_that_the_platform_is_down() -> None:
    async with raw_server(http(b"<html>Unicorn!", JSON, status="503 Sorry")) as port:
        asked = await ask(port)

    assert isinstance(asked.error, PlatformDown)
    assert asked.retries == 2


async def test_a_gzip_bomb_is_refused_without_unpacking_it() -> None:
    bomb = gzip.compress(bytes(200 * 1024 * 1024), 1)
    async with raw_server(http(bomb, JSON, "Content-Encoding: gzip")) as port:
        tracemalloc.start()
        asked = await ask(port)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()

    assert isinstance(asked.error, BadPayload)
    assert "larger than 8388608 bytes" in str(asked.error)
    assert peak < 32 * 1024 * 1024


async def test_a_body_without_end_is_refused_at_the_limit() -> None:
    async def pour(writer: asyncio.StreamWriter) -> None:
        writer.write(http(b"", JSON, length=-1))
        while True:
            writer.write(bytes(1024 * 1024))
            await writer.drain()

    async with raw_server(pour) as port:
        asked = await ask(port)

    assert isinstance(asked.error, BadPayload)


@pytest.mark.parametrize("head", ["X-Plain: 1", "Content-Encoding: gzip"])
async def test_a_body_may_be_as_large_as_the_limit_and_not_a_byte_larger(head: str) -> None:
    async def answer_to(size: int) -> Asked:
        body = b'"' + b"a" * (size - 2) + b'"'
        sent = gzip.compress(body, 1) if "gzip" in head else body
        async with raw_server(http(sent, JSON, head)) as port:
            return await ask(port, attempts=1)

    whole, larger = await answer_to(MAX_BODY_BYTES), await answer_to(MAX_BODY_BYTES + 1)

    assert whole.response is not None
    assert len(whole.response.body) == MAX_BODY_BYTES
    assert isinstance(larger.error, BadPayload)


@pytest.mark.parametrize("chunk", [1, 7, 5_000])
async def test_a_body_in_many_pieces_arrives_whole(chunk: int) -> None:
    body = b'{"a": "' + b"b" * 5_000 + b'"}'

    async def drip(writer: asyncio.StreamWriter) -> None:
        writer.write(CHUNKED)
        for start in range(0, len(body), chunk):
            part = body[start : start + chunk]
            writer.write(b"%x\r\n%b\r\n" % (len(part), part))
            if start % 500 == 0:
                await writer.drain()
                await asyncio.sleep(0)
        writer.write(b"0\r\n\r\n")

    async with raw_server(drip) as port:
        asked = await ask(port)

    assert asked.response is not None
    assert asked.response.body == body


async def test_broken_compression_is_a_cut_off_answer() -> None:
    async with raw_server(http(b"\x1f\x8b\x08nonsense", JSON, "Content-Encoding: gzip")) as port:
        asked = await ask(port)

    assert isinstance(asked.error, PlatformDown)


async def test_two_hundred_thousand_headers_fail_one_request_and_tell_no_secret() -> None:
    async with raw_server(http(b"{}", *["X-Much: 1"] * 200_000)) as port:
        asked = await ask(port, attempts=1)

    assert isinstance(asked.error, PlatformDown)
    assert TOKEN not in everything_about(asked.error)


async def test_a_refused_connection_is_tried_again_and_counts_as_no_call() -> None:
    asked = await ask(free_port())

    assert isinstance(asked.error, PlatformDown)
    assert "cannot connect" in str(asked.error)
    assert (asked.retries, asked.calls) == (2, 0)


async def test_a_host_without_an_address_is_a_platform_that_is_down() -> None:
    asked = await ask("http://nowhere.invalid", attempts=1)

    assert isinstance(asked.error, PlatformDown)
    assert "cannot connect" in str(asked.error)


async def test_a_name_that_leads_inside_is_refused_and_not_tried_again() -> None:
    asked = await ask(f"http://localhost:{free_port()}", allow_private=False)

    assert type(asked.error) is PlatformError
    assert asked.error.hint == "set allow_private = true if this address is meant"
    assert asked.retries == 0


async def test_a_certificate_that_nobody_vouches_for_is_refused_and_not_tried_again() -> None:
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(SELF_SIGNED)
    async with raw_server(http(b"{}", JSON), tls) as port:
        asked = await ask(f"https://127.0.0.1:{port}")

    assert type(asked.error) is PlatformError
    assert "no trusted TLS connection" in str(asked.error)
    assert (asked.retries, asked.calls) == (0, 0)


async def test_a_server_without_tls_is_not_tried_again_either() -> None:
    async with raw_server(http(b"{}", JSON)) as port:
        asked = await ask(f"https://127.0.0.1:{port}", seconds=2)

    assert type(asked.error) is PlatformError
    assert asked.retries == 0


def everything_about(error: BaseException) -> str:
    """All that a log of the error and of all its causes could hold."""
    told = "".join(traceback.format_exception(error))
    chain: BaseException | None = error
    while chain is not None:
        told += repr(chain) + repr(chain.args) + str(getattr(chain, "hint", ""))
        chain = chain.__cause__
    return told


@pytest.mark.parametrize(
    "says",
    [
        http(f"<html>{TOKEN}".encode(), "Content-Type: text/html"),
        http(f"you sent {TOKEN}".encode(), JSON),
        http(f"you sent {TOKEN}".encode(), status="403 No"),
        http(f"you sent {TOKEN}".encode(), status="401 No"),
        http(b"", "Location: http://elsewhere.example/?q=s3cretQuery", status="302 Found"),
        http(b"{", JSON, length=10),
        http(b"{}", "X: " + "x" * 10_000),
        b"",
    ],
)
async def test_no_error_tells_the_token_or_the_query(says: bytes) -> None:
    async with raw_server(says) as port:
        asked = await ask(port, attempts=1)

    assert asked.error is not None
    assert TOKEN not in everything_about(asked.error)
    assert "s3cretQuery" not in str(asked.error)
    assert re.search(
        r"cannot GET /users/octocat on github: |refuses the credential main: ", str(asked.error)
    )
