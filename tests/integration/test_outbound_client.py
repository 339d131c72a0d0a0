"""What the client sends, follows and hands on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from fakes.scripted import TOKEN, Platform, World, moves, says, scripted_world

from syncd.clock import SystemClock
from syncd.errors import (
    BadInput,
    CredentialsRejected,
    PlatformBlocked,
)
from syncd.outbound.answers import Kind, Response, Verdict
from syncd.outbound.credentials import Credential
from syncd.outbound.limits import Limits
from syncd.outbound.reader import Expects
from syncd.outbound.request import Request

ASK = Request(segments=("users", "octocat"))


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with scripted_world() as world:
        yield world


@pytest.fixture
def platform(world: World) -> Platform:
    return world.platform


async def test_a_request_carries_its_path_its_headers_and_the_credential(
    platform: Platform, world: World
) -> None:
    platform.says(says(200, '{"id": 1}', ETag='W/"abc"'))
    client = await world.client()

    response = await client.request(
        Request(
            segments=("users", "shipit[bot]"),
            params={"page": 2},
            headers={"If-None-Match": 'W/"old"', "Authorization": "of somebody else"},
        )
    )

    sent = platform.requests[0]
    assert sent.raw_path == "/api/users/shipit%5Bbot%5D?page=2"
    assert sent.headers["User-Agent"] == "syncd/0.1"
    assert sent.headers["Accept"] == "application/vnd.github+json"
    assert sent.headers["If-None-Match"] == 'W/"old"'
    assert sent.headers.getall("Authorization") == [f"Bearer {TOKEN}"]
    assert (response.data, response.etag) == ({"id": 1}, 'W/"abc"')


async def test_nobody_sends_no_credential_and_keeps_no_cookie(
    platform: Platform, world: World
) -> None:
    platform.says(says(200, Set_Cookie="session=1"))
    client = await world.client(credential=Credential.anonymous())

    await client.request(ASK)
    await client.request(ASK)

    assert "Authorization" not in platform.requests[1].headers
    assert "Cookie" not in platform.requests[1].headers


async def test_a_path_that_cannot_be_asked_for_is_never_sent(
    platform: Platform, world: World
) -> None:
    client = await world.client()

    with pytest.raises(BadInput):
        await client.request(Request(segments=("users", "..", "admin")))

    assert platform.requests == []


@pytest.mark.parametrize("status", [400, 404, 410, 451])
async def test_an_answer_that_is_not_good_news_is_still_an_answer(
    platform: Platform, world: World, status: int
) -> None:
    platform.says(says(status, '{"message": "Not Found"}'))
    client = await world.client()

    response = await client.request(ASK)

    assert (response.status, response.data) == (status, {"message": "Not Found"})


async def test_text_is_handed_on_as_it_is(platform: Platform, world: World) -> None:
    platform.says(says(200, "<p>ok</p>", Content_Type="text/html"))
    client = await world.client()

    response = await client.request(Request(segments=("page",), expects=Expects.TEXT))

    assert response.text == "<p>ok</p>"


async def test_a_body_is_sent_as_json(platform: Platform, world: World) -> None:
    bodies: list[str] = []
    platform.says(says(204, ""))
    client = await world.client()
    platform.holding = asyncio.Event()
    sending = asyncio.create_task(
        client.request(Request(method="POST", segments=("graphql",), json={"query": "{}"}))
    )
    await platform.asked(1)
    bodies.append(await platform.requests[0].text())
    platform.holding.set()
    await sending

    assert bodies == ['{"query": "{}"}']


async def test_a_refused_credential_is_named_and_not_tried_again(
    platform: Platform, world: World
) -> None:
    platform.says(says(401, '{"message": "Bad credentials"}'))
    client = await world.client()

    with pytest.raises(CredentialsRejected, match="HTTP 401") as refusal:
        await client.request(ASK)

    assert refusal.value.hint == "renew the credential main"
    assert len(platform.requests) == 1


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_redirects_within_the_origin_are_followed_with_the_same_method(
    platform: Platform, world: World, status: int
) -> None:
    platform.says(moves(status, "../people/1?x=%5B"), says(200, '{"id": 1}'))
    client = await world.client()

    response = await client.request(Request(segments=("users", "a"), method="POST", json={}))

    assert response.data == {"id": 1}
    assert platform.paths == ["/api/users/a", "/api/people/1?x=%5B"]
    assert [request.method for request in platform.requests] == ["POST", "POST"]
    assert platform.requests[1].headers["Authorization"] == f"Bearer {TOKEN}"


@pytest.mark.parametrize(
    "location",
    [
        "http://elsewhere.example/users",
        "https://127.0.0.1/users",
        "//elsewhere.example/users",
        "http://127.0.0.1:1/users",
        "http://[::1/",
        "file:///etc/passwd",
        "http://127.0.0.1:999999/",
    ],
)
async def test_redirects_to_another_origin_are_not_followed(
    platform: Platform, world: World, location: str
) -> None:
    platform.says(moves(302, location))
    client = await world.client()

    with pytest.raises(PlatformBlocked, match="redirected to another origin"):
        await client.request(ASK)

    assert len(platform.requests) == 1


async def test_a_redirect_with_a_user_in_it_is_not_followed(
    platform: Platform, world: World
) -> None:
    platform.says(moves(302, platform.base_url.replace("http://", "http://me:pw@") + "/x"))
    client = await world.client()

    with pytest.raises(PlatformBlocked):
        await client.request(ASK)


@pytest.mark.parametrize(
    "location", ["/profile/Tourist2", "http://elsewhere.example/", "http://127.0.0.1:1/", "//x"]
)
async def test_redirect_that_is_an_answer_is_told_and_nobody_goes_there(
    platform: Platform, world: World, location: str
) -> None:
    platform.says(moves(302, location))
    client = await world.client()

    response = await client.request(Request(segments=("profile", "x"), follows_redirects=False))

    assert (response.status, response.headers["Location"]) == (302, location)
    assert len(platform.requests) == 1
    assert client.gate.breaker.state == "closed"


async def test_web_page_beside_a_redirect_that_is_an_answer_is_no_block(
    platform: Platform, world: World
) -> None:
    platform.says(says(301, "<h1>Moved</h1>", Location="/users/new", Content_Type="text/html"))
    client = await world.client()

    response = await client.request(Request(segments=("users", "old"), follows_redirects=False))

    assert (response.headers["Location"], response.data) == ("/users/new", None)


async def test_answer_that_is_certainly_a_block_closes_the_way_at_once(
    platform: Platform, world: World
) -> None:
    def judge(response: Response) -> Verdict:
        is_blocked = response.is_html
        return Verdict(
            kind=Kind.BLOCKED if is_blocked else Kind.OK, cause="a captcha", is_certain=is_blocked
        )

    platform.says(says(200, "<html>Just a moment...</html>", Content_Type="text/html"))
    client = await world.client(classify=judge)

    with pytest.raises(PlatformBlocked, match=r"a captcha: .*Just a moment") as first:
        await client.request(ASK)
    with pytest.raises(PlatformBlocked) as second:
        await client.request(Request(segments=("users", "somebody-else")))

    assert first.value.until == second.value.until is not None
    assert len(platform.requests) == 1


async def test_a_loop_of_redirects_ends_after_three(platform: Platform, world: World) -> None:
    platform.says(moves(301, "/api/users/octocat"))
    client = await world.client()

    with pytest.raises(PlatformBlocked, match="more than 3 redirects"):
        await client.request(ASK)

    assert len(platform.requests) == 4
    assert client.gate.calls == 4


async def test_fifty_requests_cancelled_in_flight_leave_the_gate_whole(
    platform: Platform, world: World
) -> None:
    platform.says(says(200))
    platform.holding = asyncio.Event()
    client = await world.client(SystemClock(), Limits(rate=1_000, burst=100, slots=20))
    tasks = [asyncio.create_task(client.request(ASK)) for _ in range(50)]
    await platform.asked(20)

    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    left_over = (client.gate.in_flight, client.gate.waiting)
    platform.holding.set()
    platform.holding = None
    async with asyncio.timeout(5):
        answers = await asyncio.gather(*(client.request(ASK) for _ in range(50)))

    assert left_over == (0, 0)
    assert [answer.status for answer in answers] == [200] * 50
