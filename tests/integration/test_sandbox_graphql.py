"""The stand-in's GraphQL endpoint over a real socket, as GitHub documents its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import aiohttp
import pytest
from fakes.clock import FakeClock

from syncd.sandbox.github import GitHubStandIn
from syncd.sandbox.limits import Limits
from syncd.sandbox.population import Population
from syncd.sandbox.server import serve

ASK = """
query($ids: [ID!]!) {
  nodes(ids: $ids) { __typename ... on User { databaseId login followers { totalCount } } }
  rateLimit { cost remaining }
}
"""


class Caller:
    """A stand-in with somebody who asks it about nodes."""

    def __init__(self, standin: GitHubStandIn, session: aiohttp.ClientSession) -> None:
        self.standin = standin
        self._session = session

    def ids(self, *indexes: int) -> list[str]:
        return [self.standin.population.document(index)["node_id"] for index in indexes]

    async def ask(
        self, ids: Sequence[str], query: str = ASK, token: str | None = "one"
    ) -> tuple[int, Any, Any]:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        body = {"query": query, "variables": {"ids": ids}}
        async with self._session.post("/graphql", json=body, headers=headers) as response:
            return response.status, response.headers, await response.json()


@pytest.fixture
def limits() -> Limits:
    return Limits()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def caller(limits: Limits, clock: FakeClock) -> AsyncIterator[Caller]:
    population = Population(7, 200, organizations=0, bots=0)
    standin = GitHubStandIn(population, limits=limits, clock=clock)
    async with serve(standin) as url, aiohttp.ClientSession(url) as session:
        yield Caller(standin, session)


async def test_many_users_are_told_of_in_the_order_of_their_ids(caller: Caller) -> None:
    status, headers, body = await caller.ask(caller.ids(5, 3))

    people = caller.standin.population
    assert status == 200
    assert body == {
        "data": {
            "nodes": [
                {
                    "__typename": "User",
                    "databaseId": people.account_id(index),
                    "login": people.login(index),
                    "followers": {"totalCount": people.document(index)["followers"]},
                }
                for index in (5, 3)
            ],
            "rateLimit": {"cost": 1, "remaining": 4999},
        }
    }
    assert headers["X-RateLimit-Resource"] == "graphql"
    assert headers["X-RateLimit-Remaining"] == "4999"


async def test_unknown_id_is_null_with_an_error_beside_the_others(caller: Caller) -> None:
    status, _, body = await caller.ask([*caller.ids(5), "U_nobody"])

    [error] = body["errors"]
    assert (status, body["data"]["nodes"][1]) == (200, None)
    assert body["data"]["nodes"][0]["__typename"] == "User"
    assert (error["type"], error["path"]) == ("NOT_FOUND", ["nodes", 1])
    assert error["message"] == "Could not resolve to a node with the global id of 'U_nobody'."


async def test_organization_is_a_node_of_another_type(caller: Caller) -> None:
    caller.standin.population.become_organization(5)

    _, _, body = await caller.ask(caller.ids(5))

    assert body["data"]["nodes"] == [{"__typename": "Organization"}]


async def test_more_than_a_hundred_ids_are_refused_and_cost_a_point(caller: Caller) -> None:
    status, headers, body = await caller.ask(caller.ids(*range(101)))

    assert (status, body["data"], body["errors"][0]["type"]) == (200, None, "ARGUMENT_LIMIT")
    assert headers["X-RateLimit-Used"] == "1"


async def test_field_that_does_not_exist_is_named_and_nothing_is_answered(caller: Caller) -> None:
    query = "query($ids: [ID!]!) { nodes(ids: $ids) { ... on User { shoeSize } } }"

    status, _, body = await caller.ask(caller.ids(1), query)

    assert (status, "data" in body) == (200, False)
    assert body["errors"][0]["extensions"]["code"] == "undefinedField"


@pytest.mark.parametrize("token", [None, "revoked"])
async def test_nobody_is_answered_without_a_good_token(caller: Caller, token: str | None) -> None:
    caller.standin.revoke("revoked")

    status, _, body = await caller.ask(caller.ids(1), token=token)

    assert (status, "data" in body) == (401, False)


@pytest.mark.parametrize("limits", [Limits(graphql=2)])
async def test_points_are_a_window_of_their_own_whose_end_is_told_with_status_200(
    caller: Caller, clock: FakeClock
) -> None:
    for _ in range(2):
        await caller.ask(caller.ids(1))

    status, headers, body = await caller.ask(caller.ids(1))
    await clock.advance(3_600)
    _, _, later = await caller.ask(caller.ids(1))

    assert (status, headers["X-RateLimit-Remaining"]) == (200, "0")
    assert body["errors"][0]["type"] == "RATE_LIMITED"
    assert "data" not in body
    assert "errors" not in later
    assert caller.standin.counters.primary_used == 0


@pytest.mark.parametrize("limits", [Limits(graphql_points_per_minute=2)])
async def test_too_many_points_a_minute_exceed_the_secondary_limit(caller: Caller) -> None:
    statuses = [(await caller.ask(caller.ids(1)))[0] for _ in range(3)]

    assert statuses == [200, 200, 403]


async def test_what_each_api_was_asked_is_counted_apart(caller: Caller) -> None:
    await caller.ask(caller.ids(1, 2, 3))

    counters = caller.standin.counters
    assert (counters.graphql, counters.rest, counters.graphql_ids) == (1, 0, 3)
    assert (counters.graphql_used, counters.primary_used, counters.fetched()) == (1, 0, [])
