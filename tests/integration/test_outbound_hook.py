"""A webhook over real HTTP: what arrives, what is refused, and what nobody learns of it."""

from __future__ import annotations

import traceback
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from fakes.certificates import Authority
from fakes.raw_server import http, raw_server
from fakes.receiver import SECRET, Receiver, Says, receiver

from syncd.clock import SystemClock
from syncd.errors import DeliveryError
from syncd.outbound.hook import Hook

CLOCK = SystemClock()


@pytest.fixture
async def end() -> AsyncIterator[Receiver]:
    async with receiver() as end:
        yield end


def to(url: str, *, allow_private: bool = True, seconds: float = 5.0) -> Hook:
    return Hook(url=url, timeout_seconds=seconds, allow_private=allow_private)


async def refusal(hook: Hook) -> DeliveryError:
    """Return how a delivery fails; nothing of the address stands in it."""
    with pytest.raises(DeliveryError) as caught:
        await hook.post({"event": "x"}, CLOCK)
    error = caught.value
    assert SECRET not in f"{error!r}{error.hint}{hook!r}"
    assert SECRET not in "".join(traceback.format_exception(error))
    return error


async def test_a_body_arrives_as_json_and_what_came_back_is_told(end: Receiver) -> None:
    answer = await to(end.url).post({"event": "x", "text": "grüße"}, CLOCK)

    assert end.got == [{"event": "x", "text": "grüße"}]
    assert end.headers[0]["Content-Type"] == "application/json"
    assert (answer.status, answer.said) == (200, "ok")


@pytest.mark.parametrize("status", [400, 401, 404, 410, 413])
async def test_a_refusal_is_for_good_and_says_what_the_receiver_said(
    end: Receiver, status: int
) -> None:
    end.usual = Says(status=status, text="no_service")

    error = await refusal(to(end.url))

    assert error.permanent
    assert str(error) == f"cannot deliver to the webhook: HTTP {status}: no_service"
    assert "webhook_url" in (error.hint or "")


@pytest.mark.parametrize("status", [408, 425, 429, 500, 503])
async def test_what_may_pass_is_to_be_tried_again_when_the_receiver_says(
    end: Receiver, status: int
) -> None:
    end.usual = Says(status=status, headers={"Retry-After": "90"})

    error = await refusal(to(end.url))

    assert not error.permanent
    assert error.retry_after == timedelta(seconds=90)


async def test_a_redirect_is_not_followed(end: Receiver) -> None:
    async with receiver() as other:
        end.usual = Says(status=307, headers={"Location": other.url})

        error = await refusal(to(end.url))

        assert other.got == []
    assert error.permanent
    assert "redirects are not followed" in (error.hint or "")


async def test_a_receiver_that_is_silent_is_left_in_time(end: Receiver) -> None:
    end.usual = Says(after_seconds=30)

    error = await refusal(to(end.url, seconds=0.3))

    assert not error.permanent
    assert "no whole answer in time" in str(error)


async def test_a_receiver_that_repeats_the_address_betrays_nothing(end: Receiver) -> None:
    end.usual = Says(text=f"you asked {end.url} and {SECRET}")

    answer = await to(end.url).post({"event": "x"}, CLOCK)

    assert SECRET not in answer.said
    assert answer.said.startswith("you asked ***")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "169.254.169.254", "[::1]", "127.1"])
async def test_an_address_that_is_not_public_is_not_connected_to(end: Receiver, host: str) -> None:
    url = end.url.replace("127.0.0.1", host)

    error = await refusal(to(url, allow_private=False))

    assert error.permanent
    assert "allow_private" in (error.hint or "")
    assert end.got == []


async def test_nobody_listens() -> None:
    error = await refusal(to(f"http://127.0.0.1:9/services/{SECRET}"))

    assert not error.permanent
    assert "cannot connect" in str(error)


@pytest.mark.parametrize(
    "answer",
    [b"", b"gibberish\r\n\r\n", http(b"half", length=900)],
    ids=["nothing", "no HTTP", "cut off"],
)
async def test_an_answer_that_is_none_is_no_delivery(answer: bytes) -> None:
    async with raw_server(answer) as port:
        error = await refusal(to(f"http://127.0.0.1:{port}/services/{SECRET}"))

    assert not error.permanent


async def test_a_certificate_that_nobody_trusts_is_named(tmp_path: Path) -> None:
    authority = Authority.make(tmp_path)
    async with raw_server(http(b"ok"), tls=authority.server()) as port:
        error = await refusal(to(f"https://127.0.0.1:{port}/services/{SECRET}"))

    assert "no trusted TLS connection" in str(error)
