"""The page behind the link in every message: no token, no name, and nothing by looking."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from fakes.control import ControlPort, control_port
from fakes.memory_reach import LINK_TOKEN, PUBLIC_HOST

from syncd.errors import NotLeading

LINK = f"/unsubscribe?t={LINK_TOKEN}"
FORM = "Content-Type: application/x-www-form-urlencoded"
CLOSE = "Connection: close"
ONE_CLICK = b"List-Unsubscribe=One-Click"


@pytest.fixture
async def port() -> AsyncIterator[ControlPort]:
    async with control_port() as port:
        yield port


async def post(port: ControlPort, target: str, *headers: str, host: str = PUBLIC_HOST) -> bytes:
    """Ask as a mail program does."""
    length = f"Content-Length: {len(ONE_CLICK)}"
    lines = (f"POST {target} HTTP/1.1", f"Host: {host}", FORM, length, CLOSE, *headers)
    return await port.say(*lines, body=ONE_CLICK)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_looking_at_the_link_changes_nothing_and_shows_a_button(
    port: ControlPort, method: str
) -> None:
    answer = await port.say(f"{method} {LINK} HTTP/1.1", f"Host: {PUBLIC_HOST}", CLOSE)

    assert answer.startswith(b"HTTP/1.1 200 ")
    assert method == "HEAD" or b'<form method="post"><button type="submit">' in answer
    assert port.service.left == []


async def test_one_click_of_a_mail_program_ends_it_and_again_says_the_same(
    port: ControlPort,
) -> None:
    first, second = await post(port, LINK), await post(port, LINK)

    assert first.startswith(b"HTTP/1.1 200 ")
    assert first.partition(b"\r\n\r\n")[2] == second.partition(b"\r\n\r\n")[2]
    assert port.service.left == [LINK_TOKEN, LINK_TOKEN]


async def test_the_button_works_in_a_browser_that_tells_no_origin(port: ControlPort) -> None:
    browser = ("Origin: null", "Sec-Fetch-Site: same-origin", "Sec-Fetch-Mode: navigate")

    answer = await post(port, LINK, *browser)

    assert answer.startswith(b"HTTP/1.1 200 ")
    assert port.service.left == [LINK_TOKEN]


@pytest.mark.parametrize(
    "target",
    [
        "/unsubscribe",
        "/unsubscribe?t=",
        "/unsubscribe?t=k-1.ZW1haWw.Zm9yZ2Vk",
        "/unsubscribe?t=%00%0d%0a%3Cscript%3E",
        "/unsubscribe?t=" + "x" * 5_000,
        "/unsubscribe?user=ada&channel=email",
    ],
)
async def test_a_link_that_is_not_ours_changes_nothing(port: ControlPort, target: str) -> None:
    looked = await port.say(f"GET {target} HTTP/1.1", f"Host: {PUBLIC_HOST}", CLOSE)
    done = await post(port, target)

    assert looked.startswith(b"HTTP/1.1 404 ")
    assert done.startswith(b"HTTP/1.1 404 ")
    assert b"<script>" not in looked + done
    assert port.service.left == []


@pytest.mark.parametrize("host", ["evil.example", "", "127.0.0.1.nip.io", f"a.{PUBLIC_HOST}"])
async def test_another_host_is_refused(port: ControlPort, host: str) -> None:
    answer = await post(port, LINK, host=host)

    assert answer.startswith((b"HTTP/1.1 403 ", b"HTTP/1.1 400 "))
    assert port.service.left == []


@pytest.mark.parametrize("target", ["/api/status", "/unsubscribe/", "/live", "/api/unsubscribe"])
async def test_the_public_name_opens_no_other_address(port: ControlPort, target: str) -> None:
    answer = await port.say(f"GET {target} HTTP/1.1", f"Host: {PUBLIC_HOST}", CLOSE)

    assert answer.startswith(b"HTTP/1.1 403 ")


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
async def test_no_other_method_is_there(port: ControlPort, method: str) -> None:
    answer = await port.say(f"{method} {LINK} HTTP/1.1", f"Host: {PUBLIC_HOST}", CLOSE)

    assert answer.startswith(b"HTTP/1.1 405 ")


async def test_while_nothing_can_be_written_it_says_so_and_when_to_try_again(
    port: ControlPort,
) -> None:
    port.service.store_error = "PostgreSQL does not answer"
    without_store = await post(port, LINK)
    port.service.store_error = ""
    port.service.leads_elsewhere = NotLeading("another syncd leads")
    standing_by = await post(port, LINK)

    for answer in (without_store, standing_by):
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"Retry-After: 60" in answer
        assert b"PostgreSQL" not in answer
    assert port.service.left == []


async def test_the_audit_names_neither_the_link_nor_anybody(port: ControlPort) -> None:
    await post(port, LINK)

    [used] = port.named("control.used")
    assert (used.actor, used.path, used.status) == ("link", "/unsubscribe", 200)
    assert LINK_TOKEN not in str(used)


async def test_a_stranger_cannot_fill_the_log_with_links_that_are_not_ours(
    port: ControlPort,
) -> None:
    for _ in range(60):
        await post(port, "/unsubscribe?t=junk")
    await post(port, LINK)

    told = [used.status for used in port.named("control.used")]
    assert told[-1] == 200
    assert told.count(404) <= 21


async def test_the_page_carries_the_headers_of_every_answer(port: ControlPort) -> None:
    answer = await port.say(f"GET {LINK} HTTP/1.1", f"Host: {PUBLIC_HOST}", CLOSE)

    head = answer.partition(b"\r\n\r\n")[0]
    assert b"default-src 'none'" in head
    assert b"Referrer-Policy: no-referrer" in head
    assert b"Cache-Control: no-store" in head
