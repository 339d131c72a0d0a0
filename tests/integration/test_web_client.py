"""The command line's end of the API, against the real control port."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from collections.abc import AsyncIterator

import pytest
from fakes.control import JOB, TOKEN, ControlPort, control_port

from syncd.errors import AlreadyRunning, BadInput, NotKnown, StoreUnavailable, SyncdError
from syncd.telemetry.events import StoreLost
from syncd.web.client import ControlClient, DaemonUnreachable, StreamEvent, TokenRefused, api_path


@pytest.fixture
async def port() -> AsyncIterator[ControlPort]:
    async with control_port() as port:
        yield port


@pytest.fixture
def client(port: ControlPort) -> ControlClient:
    return ControlClient("127.0.0.1", port.server.port, TOKEN)


async def test_client_speaks_every_method(port: ControlPort, client: ControlClient) -> None:
    path = api_path("users", "ada & co")

    put = await asyncio.to_thread(client.put, path, {"accounts": {"github": "octocat"}})
    read = await asyncio.to_thread(client.get, path)
    page = await asyncio.to_thread(client.get, api_path("users"), {"after": None, "limit": 1})
    run = await asyncio.to_thread(
        client.post, api_path("jobs", JOB, "trigger"), {"limit": 1}, idempotency_key="k"
    )
    gone = await asyncio.to_thread(client.delete, path)

    assert put == read == {"key": "ada & co", "accounts": {"github": "octocat"}}
    assert page == {"users": [{"key": "ada & co"}]}
    assert run["id"] == 4812
    assert (gone["key"], gone["deleted"]) == ("ada & co", True)


async def test_refusals_come_back_as_the_errors_they_were(
    port: ControlPort, client: ControlClient
) -> None:
    port.service.active = 4811

    with pytest.raises(AlreadyRunning) as running:
        await asyncio.to_thread(client.post, api_path("jobs", JOB, "trigger"))
    with pytest.raises(NotKnown, match="'nope' is not known") as unknown:
        await asyncio.to_thread(client.get, api_path("jobs", "nope"))
    with pytest.raises(BadInput) as bad:
        await asyncio.to_thread(client.put, api_path("users", "ada"), {"a": 1, "b": 2})
    with pytest.raises(SyncdError, match="method not allowed"):
        await asyncio.to_thread(client.put, api_path("status"), {})

    assert running.value.run_id == 4811
    assert unknown.value.hint == "syncd status lists the jobs"
    assert len(bad.value.problems) == 2


async def test_lost_database_comes_back_as_such(port: ControlPort, client: ControlClient) -> None:
    port.service.failure = StoreUnavailable("cannot reach PostgreSQL", hint="wait")

    with pytest.raises(StoreUnavailable, match="cannot reach PostgreSQL"):
        await asyncio.to_thread(client.get, "/api/status")


async def test_wrong_token_is_its_own_error(port: ControlPort) -> None:
    client = ControlClient("127.0.0.1", port.server.port, "wrong")

    with pytest.raises(TokenRefused, match="the token is wrong"):
        await asyncio.to_thread(client.get, "/api/status")
    with pytest.raises(TokenRefused):
        await asyncio.to_thread(next, client.iter_events())


def test_nobody_listening_is_its_own_error() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, but not listening
        client = ControlClient("127.0.0.1", taken.getsockname()[1], TOKEN)

        with pytest.raises(DaemonUnreachable, match="connection refused") as told:
            client.get("/api/status")

    assert "syncd run" in (told.value.hint or "")


async def test_something_else_on_the_port_is_unreachable_too() -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as other:
        client = ControlClient("127.0.0.1", other.sockets[0].getsockname()[1], TOKEN)

        with pytest.raises(DaemonUnreachable):
            await asyncio.to_thread(client.get, "/api/status")


async def test_client_follows_events_until_the_daemon_stops() -> None:
    async with control_port() as port:
        events = ControlClient("127.0.0.1", port.server.port, TOKEN).iter_events()
        opened = await asyncio.to_thread(next, events)
        port.bus.emit(StoreLost(error="gone", retry_seconds=1))
        told = await asyncio.to_thread(next, events)

    assert opened is None
    assert isinstance(told, StreamEvent)
    assert (told.name, told.data) == ("store.lost", {"error": "gone", "retry_seconds": 1})
    assert await asyncio.to_thread(list, events) == []


def test_client_loads_nothing_heavy() -> None:
    program = "import sys, syncd.web.client, syncd.web.token; print(*sys.modules)"

    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=20
    ).stdout.split()

    assert not {"aiohttp", "pydantic", "asyncio", "structlog"} & set(loaded)
