"""Who may call the control port: the checks S1-S8, S13-S15 and S37 over real sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest
from fakes.control import JOB, TOKEN, ControlPort, control_port

from syncd.web.server import all_routes

BEARER = f"Authorization: Bearer {TOKEN}"
PAUSE = f"/api/jobs/{JOB}/pause"


@pytest.fixture
async def port() -> AsyncIterator[ControlPort]:
    async with control_port(allowed_hosts=("syncd.example",)) as port:
        yield port


@pytest.mark.parametrize("path", ["/live", "/health", "/api/status", "/nowhere"])
@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:80",
        "localhost.evil.example",
        "a@127.0.0.1",
        "127.0.0.1.nip.io",
    ],
)
async def test_foreign_host_is_refused_on_every_path(
    port: ControlPort, path: str, host: str
) -> None:  # S1
    answer = await port.say(f"GET {path} HTTP/1.1", f"Host: {host}", BEARER, "Connection: close")

    assert answer.startswith(b"HTTP/1.1 403 ")
    assert b"github" not in answer
    assert port.named("control.refused")[0].status == 403


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1:8642", "[::1]:8642", "127.1.2.3", "SYNCD.example:443"]
)
async def test_own_names_are_answered(port: ControlPort, host: str) -> None:  # S1
    answer = await port.say("GET /live HTTP/1.1", f"Host: {host}", "Connection: close")

    assert answer.startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (["GET /live HTTP/1.0"], 400),
        (["GET /live HTTP/1.1", "Connection: close"], 400),
        (["GET /live HTTP/1.1", "Host:", "Connection: close"], 400),
        (["GET http://evil.example/live HTTP/1.1", "Host: localhost", "Connection: close"], 403),
        (["GET //evil.example/live HTTP/1.1", "Host: localhost", "Connection: close"], 401),
        (["CONNECT evil.example:80 HTTP/1.1", "Host: localhost", "Connection: close"], 403),
        (["GET /live HTTP/1.1", "Host: localhost", "Host: evil.example"], 400),
        (
            [
                "POST /api/pause HTTP/1.1",
                "Host: localhost",
                BEARER,
                "Content-Length: 2",
                "Transfer-Encoding: chunked",
            ],
            400,
        ),
        (["NONSENSE"], 400),
    ],
)
async def test_request_that_hides_its_host_is_refused(
    port: ControlPort, lines: list[str], status: int
) -> None:  # S2
    answer = await port.say(*lines)

    assert answer.split(b" ")[1] == str(status).encode()
    assert b'{"error":' in answer
    assert b"Content-Security-Policy" in answer


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1", "Sec-Fetch-Site": "same-origin"},
    ],
)
async def test_page_of_another_origin_changes_nothing(
    port: ControlPort, headers: dict[str, str]
) -> None:  # S3, S4
    status, body = await port.ask("POST", PAUSE, {}, headers)

    assert (status, set(body)) == (403, {"error", "hint"})
    assert port.service.orders == []


async def test_own_page_and_command_line_may_change_something(port: ControlPort) -> None:
    own_page = {"Origin": port.url(""), "Sec-Fetch-Site": "same-origin"}

    status, _ = await port.ask("POST", PAUSE, {}, own_page)
    other, _ = await port.ask("POST", PAUSE, {}, None)

    assert (status, other) == (200, 200)


async def test_change_without_a_token_is_refused(port: ControlPort) -> None:  # S5
    async with aiohttp.ClientSession() as stranger, stranger.post(port.url(PAUSE)) as answer:
        body = await answer.json()

    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert set(body) == {"error", "hint"}
    assert port.service.orders == []


@pytest.mark.parametrize(
    "kind",
    ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=x", ""],
)
async def test_body_that_is_not_json_is_refused(port: ControlPort, kind: str) -> None:  # S6
    async with port.session.post(
        port.url(PAUSE), data=b"{}", headers={"Content-Type": kind}
    ) as answer:
        body = await answer.json()

    assert (answer.status, set(body)) == (415, {"error", "hint"})
    assert port.service.orders == []


async def test_compressed_body_is_refused(port: ControlPort) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}

    async with port.session.post(port.url(PAUSE), data=b"{}", headers=headers) as answer:
        status = answer.status

    assert status == 415


async def test_no_answer_opens_the_port_to_other_origins(port: ControlPort) -> None:  # S7
    asked = {"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"}

    async with port.session.options(port.url(PAUSE), headers=asked) as answer:
        allowed = [name for name in answer.headers if name.lower().startswith("access-control")]

    assert (answer.status, allowed) == (405, [])


async def test_asking_every_address_three_times_changes_nothing(port: ControlPort) -> None:  # S8
    await port.ask("PUT", "/api/users/ada", {"accounts": {"github": "octocat"}})
    await port.ask("POST", f"/api/jobs/{JOB}/trigger", {})
    before = (list(port.service.orders), dict(port.service.entries), dict(port.service.started))
    routes = all_routes(port.service, port.clock)
    paths = [
        route.path.format(job=JOB, platform="github", id=4812, key="ada")
        for route in routes
        if not route.changes
    ]

    statuses = {(await port.ask("GET", path))[0] for path in paths * 3}

    assert len(paths) >= 10
    assert statuses == {200}
    assert (port.service.orders, port.service.entries, port.service.started) == before
    assert len(port.named("control.used")) == 2


@pytest.mark.parametrize(
    "header",
    [
        "Bearer wrong",
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN[:-1]}",
        f"Basic {TOKEN}",
        TOKEN,
        "Bearer schlüssel",
        "Bearer \xff\xfe",
        "Bearer",
    ],
)
async def test_wrong_token_is_401_whatever_its_bytes(port: ControlPort, header: str) -> None:  # S13
    answer = await port.say(
        "GET /api/status HTTP/1.1",
        "Host: localhost",
        f"Authorization: {header}",
        "Connection: close",
    )

    assert answer.startswith(b"HTTP/1.1 401 ")


async def test_two_tokens_in_one_request_are_none(port: ControlPort) -> None:
    answer = await port.say(
        "GET /api/status HTTP/1.1", "Host: localhost", BEARER, BEARER, "Connection: close"
    )

    assert b" 401 " in answer or b" 400 " in answer


async def test_probe_with_a_wrong_token_is_refused_too(port: ControlPort) -> None:
    status, _ = await port.ask("GET", "/health", None, {"Authorization": "Bearer guess"})

    assert status == 401


async def test_twenty_wrong_tokens_a_minute_are_enough(port: ControlPort) -> None:  # S14
    guess = {"Authorization": "Bearer guess"}

    first = [(await port.ask("GET", "/api/status", None, guess))[0] for _ in range(20)]
    later = [(await port.ask("GET", "/api/status", None, guess))[0] for _ in range(20)]
    operator, _ = await port.ask("GET", "/api/status")
    told = [event.status for event in port.named("control.refused")]
    await port.clock.advance(61)
    after, _ = await port.ask("GET", "/api/status", None, guess)

    assert (set(first), set(later)) == ({401}, {429})
    assert operator == 200  # nobody can lock the operator out
    assert told == [401] * 20 + [429]  # and nobody can fill the log
    assert after == 401


async def test_refused_caller_learns_when_to_come_back(port: ControlPort) -> None:
    guess = {"Authorization": "Bearer guess"}
    for _ in range(20):
        await port.ask("GET", "/api/status", None, guess)

    async with port.session.get(port.url("/api/status"), headers=guess) as answer:
        wait = answer.headers["Retry-After"]

    assert wait == "60"


async def test_token_in_the_address_is_refused_and_not_logged(port: ControlPort) -> None:  # S15
    status, body = await port.ask("GET", f"/api/status?token={TOKEN}")

    assert status == 400
    assert TOKEN not in str(body)
    assert TOKEN not in str(port.events)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/live"),
        ("GET", "/api/status"),
        ("GET", "/nowhere"),
        ("PATCH", "/live"),
        ("POST", "/api/jobs/unknown/trigger"),
    ],
)
async def test_every_answer_carries_the_headers(
    port: ControlPort, method: str, path: str
) -> None:  # S37
    async with port.session.request(method, port.url(path)) as answer:
        headers = answer.headers

    assert headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self'")
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cache-Control"] == "no-store"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "Python" not in headers["Server"]
    assert headers["Content-Type"] == "application/json"


async def test_expectation_we_do_not_know_carries_the_headers_too(port: ControlPort) -> None:
    answer = await port.say(
        "GET /live HTTP/1.1", "Host: localhost", "Expect: wonders", "Connection: close"
    )

    assert answer.startswith(b"HTTP/1.1 417 ")
    assert b"Content-Security-Policy" in answer
