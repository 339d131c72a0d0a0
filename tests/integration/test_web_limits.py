"""What the control port bears: bodies, connections, triggers, taken ports (S20, S21, S23)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from fakes.clock import FakeClock
from fakes.control import JOB, TOKEN, ControlPort, MemoryService, control_port

from syncd.errors import ConfigError, StartError
from syncd.telemetry.bus import Bus
from syncd.telemetry.events import Event
from syncd.web.server import ControlServer, ControlSettings

EVERYWHERE = "0.0.0.0"  # noqa: S104 - what the server must not do unasked
BEARER = f"Authorization: Bearer {TOKEN}"
TRIGGER = f"/api/jobs/{JOB}/trigger"


@pytest.fixture
async def port() -> AsyncIterator[ControlPort]:
    async with control_port(body_seconds=0.2) as port:
        yield port


def _server(bus: Bus | None = None, **settings: object) -> ControlServer:
    chosen = ControlSettings(token=TOKEN, **settings)  # type: ignore[arg-type]
    return ControlServer(MemoryService(), chosen, bus=bus or Bus(), clock=FakeClock())


async def test_taken_port_is_one_sentence_that_names_it(port: ControlPort) -> None:
    second = _server(port=port.server.port)

    with pytest.raises(
        StartError, match=f"127.0.0.1:{port.server.port}: the port is taken"
    ) as told:
        await second.__aenter__()

    assert "[web] listen" in (told.value.hint or "")


async def test_address_of_another_machine_is_one_sentence() -> None:
    with pytest.raises(StartError, match=r"cannot listen on 192\.0\.2\.1:8642"):
        await _server(host="192.0.2.1", allow_remote=True).__aenter__()


@pytest.mark.parametrize("host", [EVERYWHERE, "::", "192.168.1.5", "syncd.example"])
async def test_address_that_is_not_loopback_needs_leave(host: str) -> None:  # S20
    with pytest.raises(ConfigError, match="no loopback address"):
        await _server(host=host, port=0).__aenter__()


async def test_public_metrics_are_refused_where_other_machines_could_read_them() -> None:  # S42
    with pytest.raises(ConfigError, match="could read the metrics"):
        await _server(host=EVERYWHERE, port=0, allow_remote=True, metrics_public=True).__aenter__()


async def test_remote_address_with_leave_is_noticed() -> None:  # S20
    bus, events = Bus(), list[Event]()

    with bus.subscribed(events.append):
        async with _server(bus, host=EVERYWHERE, port=0, allow_remote=True) as server:
            port = server.port

    assert port > 0
    assert [event.name for event in events] == ["condition.noticed"]


async def test_token_is_not_shown_by_the_settings() -> None:
    assert TOKEN not in repr(ControlSettings(token=TOKEN))


async def test_stalled_body_is_given_up(port: ControlPort) -> None:  # S23
    async with asyncio.timeout(5):
        answer = await port.say(
            f"POST {TRIGGER} HTTP/1.1",
            "Host: localhost",
            BEARER,
            "Content-Type: application/json",
            "Content-Length: 20",
            body=b'{"full"',
        )

    assert answer.startswith(b"HTTP/1.1 408 ")
    assert port.service.orders == []


@pytest.mark.parametrize("chunked", [False, True])
async def test_large_body_is_refused(port: ControlPort, *, chunked: bool) -> None:  # S23
    async def in_parts() -> AsyncIterator[bytes]:
        for _ in range(9):
            yield b" " * 8192

    async with port.session.post(
        port.url(TRIGGER),
        data=in_parts() if chunked else b" " * 70_000,
        headers={"Content-Type": "application/json"},
    ) as answer:
        body = await answer.json()

    assert (answer.status, body["hint"]) == (413, "send less at a time")
    assert port.service.orders == []


async def test_import_may_be_larger_than_other_bodies(port: ControlPort) -> None:
    content = "key,github\n" + "ada,octocat\n" * 50_000

    status, body = await port.ask(
        "POST", "/api/users/import", {"format": "csv", "content": content, "dry_run": True}
    )

    assert (status, body) == (200, {"created": 50_001})
    assert port.named("control.used")[0].detail == (
        '{"format":"csv","content":"600011 characters","dry_run":true}'
    )


async def test_import_leaves_nobody_in_the_audit(port: ControlPort) -> None:  # S22
    await port.ask("POST", "/api/users/import", {"format": "csv", "content": "key\nada\n"})

    detail = port.named("control.used")[0].detail

    assert detail == '{"format":"csv","content":"8 characters"}'


async def test_broken_chunks_are_bad_input(port: ControlPort) -> None:
    answer = await port.say(
        f"POST {TRIGGER} HTTP/1.1",
        "Host: localhost",
        BEARER,
        "Content-Type: application/json",
        "Transfer-Encoding: chunked",
        "Connection: close",
        body=b"zz\r\n{}\r\n0\r\n\r\n",
    )

    assert answer.split(b" ")[1] in {b"400", b"422"}
    assert port.service.orders == []


async def test_sixty_fifth_connection_is_turned_away(port: ControlPort) -> None:  # S23
    async with contextlib.AsyncExitStack() as stack:
        await port.ask("GET", "/live")  # the session keeps one connection open
        for _ in range(63):
            _, writer = await asyncio.open_connection("127.0.0.1", port.server.port)
            stack.push_async_callback(writer.wait_closed)
            stack.callback(writer.close)
        inside, _ = await port.ask("GET", "/live")
        reader, writer = await asyncio.open_connection("127.0.0.1", port.server.port)
        turned_away = await reader.read()
        writer.close()
        await writer.wait_closed()

    later, _ = await port.ask("GET", "/live")

    assert turned_away.startswith(b"HTTP/1.1 503 ")
    assert b'{"error":"there are too many connections"' in turned_away
    assert (inside, later) == (200, 200)


async def test_flood_of_triggers_is_slowed_down(port: ControlPort) -> None:  # S21
    accepted = [(await port.ask("POST", TRIGGER))[0] for _ in range(3)]
    async with port.session.post(port.url(TRIGGER)) as refused:
        wait, told = int(refused.headers["Retry-After"]), await refused.json()
    await port.clock.advance(wait)
    after, _ = await port.ask("POST", TRIGGER)

    assert accepted == [202, 202, 202]
    assert (refused.status, wait) == (429, 60)
    assert told["hint"] == (
        "try again in 60 s: a job may be triggered once a minute, three times in a row, "
        "and every trigger counts, also with dry_run, limit or only"
    )
    assert after == 202
    assert len(port.service.started) == 4


async def test_repeated_key_returns_the_run_it_started(port: ControlPort) -> None:  # S21
    key = {"Idempotency-Key": "button-7"}

    first, *others = await asyncio.gather(
        *(port.ask("POST", TRIGGER, {}, key) for _ in range(10)),
    )

    assert first == (202, {"id": 4812, "job": JOB})
    assert others == [first] * 9
    assert len(port.service.orders) == 1


async def test_trigger_of_a_running_job_names_the_run(port: ControlPort) -> None:  # S21
    port.service.active = 4811

    answers = [await port.ask("POST", TRIGGER) for _ in range(5)]

    assert {status for status, _ in answers} == {409}  # asking in vain uses nothing up
    assert answers[0][1]["run_id"] == 4811
