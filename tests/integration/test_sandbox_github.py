"""The GitHub stand-in over a real socket, against what PLATFORMS.md knows of the real one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import aiohttp
import pytest
from aiohttp import hdrs
from fakes.clock import FakeClock

from syncd.sandbox.github import GitHubStandIn
from syncd.sandbox.limits import Limits
from syncd.sandbox.population import Population
from syncd.sandbox.server import serve

TOKEN = {"Authorization": "Bearer one"}


class Caller:
    """A stand-in with somebody who asks it."""

    def __init__(self, standin: GitHubStandIn, session: aiohttp.ClientSession, url: str) -> None:
        self.standin = standin
        self.population = standin.population
        self.session = session
        self.url = url

    async def get(self, path: str, **headers: str) -> tuple[int, Any, Any]:
        asked = {name.replace("_", "-"): value for name, value in headers.items()} or TOKEN
        async with self.session.get(self.url + path, headers=asked) as response:
            body = await response.read()
            if response.content_type != "application/json":
                return response.status, response.headers, body
            return response.status, response.headers, await response.json() if body else None

    async def profile(self, index: int, **headers: str) -> tuple[int, Any, Any]:
        return await self.get(f"/users/{self.population.login(index)}", **headers)


@pytest.fixture
def limits() -> Limits:
    return Limits()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def caller(limits: Limits, clock: FakeClock) -> AsyncIterator[Caller]:
    standin = GitHubStandIn(Population(7, 200), limits=limits, clock=clock)
    async with serve(standin) as url, aiohttp.ClientSession() as session:
        yield Caller(standin, session, url)


async def test_profile_answers_by_login_in_any_spelling_and_by_id(caller: Caller) -> None:
    expected = caller.population.document(5)

    by_login = await caller.get(f"/users/{expected['login'].swapcase()}")
    by_id = await caller.get(f"/user/{expected['id']}")

    assert by_login[0] == by_id[0] == 200
    assert by_login[2] == by_id[2] == expected
    assert caller.standin.counters.fetches(5) == 2


async def test_bot_is_found_by_its_percent_encoded_login(caller: Caller) -> None:
    caller.population.rename(5, "shipit[bot]")

    status, _, body = await caller.get("/users/shipit%5Bbot%5D")

    assert (status, body["login"]) == (200, "shipit[bot]")


async def test_anonymous_caller_sees_no_email_and_has_sixty_requests(caller: Caller) -> None:
    caller.population.edit(5, {"email": "seen@example.invalid"})

    status, headers, body = await caller.profile(5, Accept="*/*")

    assert (status, body["email"]) == (200, None)
    assert headers["X-RateLimit-Limit"] == "60"
    assert headers["Cache-Control"].startswith("public")


@pytest.mark.parametrize("path", ["/users/nobody", "/user/1", "/user/x", "/repos/a/b", "/user"])
async def test_unknown_path_is_404_and_costs_a_request(caller: Caller, path: str) -> None:
    status, headers, body = await caller.get(path)

    assert (status, body["message"]) == (404, "Not Found")
    assert (headers["X-RateLimit-Used"], headers["X-RateLimit-Remaining"]) == ("1", "4999")


async def test_matching_etag_is_304_without_body_and_costs_nothing(caller: Caller) -> None:
    _, headers, _ = await caller.profile(5)

    again = await caller.profile(5, **TOKEN, If_None_Match=headers["ETag"])

    assert (again[0], again[2]) == (304, b"")
    assert again[1]["ETag"] == headers["ETag"]
    assert again[1]["X-RateLimit-Remaining"] == headers["X-RateLimit-Remaining"] == "4999"
    assert hdrs.CONTENT_TYPE not in again[1]


@pytest.mark.parametrize("other", [{"Authorization": "Bearer two"}, {**TOKEN, "Accept": "a/b"}])
async def test_etag_belongs_to_its_token_and_accept(caller: Caller, other: dict[str, str]) -> None:
    _, headers, _ = await caller.profile(5)

    status, _, _ = await caller.profile(5, **other, If_None_Match=headers["ETag"])

    assert status == 200


async def test_changed_profile_is_200_with_a_new_etag(caller: Caller) -> None:
    _, before, _ = await caller.profile(5)
    caller.population.change(5)

    status, after, _ = await caller.profile(5, **TOKEN, If_None_Match=before["ETag"])

    assert status == 200
    assert after["ETag"] != before["ETag"]
    assert after["X-RateLimit-Remaining"] == "4998"


async def test_renamed_user_is_404_by_the_old_login_and_survives_by_id(caller: Caller) -> None:
    old, account_id = caller.population.login(5), caller.population.account_id(5)
    caller.population.rename(5, "new-name")

    by_login, by_id = await caller.get(f"/users/{old}"), await caller.get(f"/user/{account_id}")

    assert by_login[0] == 404
    assert by_id[2]["login"] == "new-name"


async def test_taken_over_login_answers_another_id(caller: Caller) -> None:
    login, account_id = caller.population.login(5), caller.population.account_id(5)
    caller.population.take_over(login)

    _, _, body = await caller.get(f"/users/{login}")

    assert body["login"] == login
    assert body["id"] != account_id


async def test_suspended_user_is_404_here_and_marked_on_an_enterprise_server(
    caller: Caller,
) -> None:
    caller.population.suspend(5)
    caller.population.suspend(6, shown=True)

    hidden, shown = await caller.profile(5), await caller.profile(6)

    assert hidden[0] == 404
    assert shown[2]["suspended_at"] == "2024-08-08T00:00:00Z"


async def test_values_that_utf8_cannot_hold_arrive_as_json_escapes(caller: Caller) -> None:
    caller.population.edit(5, {"bio": "\x00 and \ud83d alone"})

    _, _, body = await caller.profile(5)

    assert body["bio"] == "\x00 and \ud83d alone"


async def test_revoked_token_is_401_and_counts_for_the_address(caller: Caller) -> None:
    caller.standin.revoke("one")

    status, headers, body = await caller.profile(5)

    assert (status, body["message"]) == (401, "Bad credentials")
    assert (headers["X-RateLimit-Limit"], headers["X-RateLimit-Remaining"]) == ("60", "59")
    assert caller.standin.counters.unauthorised == 1


async def test_only_accepted_tokens_are_good(caller: Caller) -> None:
    caller.standin.accept_only("two")

    statuses = [
        (await caller.profile(5, Authorization=f"token {name}"))[0] for name in ("one", "two")
    ]

    assert statuses == [401, 200]


async def test_request_without_user_agent_is_forbidden(caller: Caller) -> None:
    async with caller.session.get(
        f"{caller.url}/user/1", skip_auto_headers=[hdrs.USER_AGENT]
    ) as response:
        text = await response.text()

    assert response.status == 403
    assert "User-Agent" in text


async def test_rate_limit_is_free_and_tells_the_truth(caller: Caller) -> None:
    await caller.profile(5)

    _, headers, body = await caller.get("/rate_limit")

    assert body["rate"] == body["resources"]["core"]
    assert (body["rate"]["used"], body["rate"]["remaining"]) == (1, 4_999)
    assert headers["X-RateLimit-Reset"] == str(body["rate"]["reset"])
    assert caller.standin.counters.primary_used == 1


@pytest.mark.parametrize("limits", [Limits(primary=2)])
async def test_exhausted_primary_limit_is_403_until_its_reset(
    caller: Caller, clock: FakeClock
) -> None:
    statuses = [(await caller.profile(index))[0] for index in range(2)]

    status, headers, body = await caller.profile(3)
    clock.jump_wall(timedelta(hours=1))
    renewed = await caller.profile(3)

    assert statuses == [200, 200]
    assert (status, headers["X-RateLimit-Remaining"]) == (403, "0")
    assert body["message"].startswith("API rate limit exceeded")
    assert "Retry-After" not in headers
    assert renewed[0] == 200
    assert caller.standin.counters.refused == {"primary": 1}


@pytest.mark.parametrize("limits", [Limits(primary=2)])
async def test_every_token_has_a_primary_limit_of_its_own(caller: Caller) -> None:
    one = [(await caller.profile(5))[0] for _ in range(3)]

    other, _, _ = await caller.profile(5, Authorization="Bearer two")

    assert (one, other) == ([200, 200, 403], 200)


@pytest.mark.parametrize(
    ("limits", "status", "retry_after"),
    [
        (Limits(points_per_minute=2), 403, "60"),
        (Limits(points_per_minute=2, secondary_status=429, tells_wait=False), 429, None),
    ],
)
async def test_exceeded_secondary_limit_tells_so_in_the_body(
    caller: Caller, status: int, retry_after: str | None
) -> None:
    accepted = [(await caller.profile(index))[0] for index in range(2)]

    refused = await caller.profile(3)

    assert accepted == [200, 200]
    assert (refused[0], refused[1].get("Retry-After")) == (status, retry_after)
    assert "secondary rate limit" in refused[2]["message"]
    assert "X-RateLimit-Remaining" not in refused[1]


async def test_too_many_at_once_are_refused_and_counted() -> None:
    standin = GitHubStandIn(Population(7, 50), limits=Limits(concurrent=5), latency_seconds=0.05)

    async with serve(standin) as url, aiohttp.ClientSession() as session:
        caller = Caller(standin, session, url)
        answers = await asyncio.gather(*(caller.profile(index) for index in range(20)))

    statuses = {status for status, _, _ in answers}
    assert statuses == {200, 403}
    assert standin.counters.most_in_flight > 5
    assert standin.counters.refused["secondary"] >= 15
