"""Faults of a stand-in as a caller meets them on the wire."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import pytest
from fakes.clock import FakeClock

from syncd.sandbox.answer import Answer
from syncd.sandbox.faults import cut, drip, hang, server_error, too_many, with_values
from syncd.sandbox.github import GitHubStandIn
from syncd.sandbox.population import Population
from syncd.sandbox.server import serve

Caller = Callable[[], Awaitable[tuple[int, Any, bytes]]]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def standin(clock: FakeClock) -> GitHubStandIn:
    return GitHubStandIn(Population(7, 50), clock=clock)


@pytest.fixture
async def caller(standin: GitHubStandIn) -> AsyncIterator[Caller]:
    path = f"/users/{standin.population.login(5)}"
    async with serve(standin) as url, aiohttp.ClientSession(url) as session:

        async def ask() -> tuple[int, Any, bytes]:
            async with session.get(path, headers={"Authorization": "Bearer one"}) as response:
                return response.status, response.headers, await response.read()

        yield ask


async def test_faults_strike_over_the_wire(standin: GitHubStandIn, caller: Caller) -> None:
    faults = standin.faults
    faults.add(server_error(503), times=1)
    struck, well = await caller(), await caller()
    faults.add(with_values({"id": "not a number"}), times=1)

    mangled = await caller()

    assert (struck[0], well[0]) == (503, 200)
    assert json.loads(mangled[2])["id"] == "not a number"
    assert standin.counters.by_status == {503: 1, 200: 2}


async def test_storm_of_429_is_no_provoked_refusal(standin: GitHubStandIn, caller: Caller) -> None:
    standin.faults.add(too_many(3))

    status, headers, _ = await caller()

    assert (status, headers["Retry-After"]) == (429, "3")
    assert not standin.counters.refused


async def test_cut_body_breaks_the_connection(standin: GitHubStandIn, caller: Caller) -> None:
    standin.faults.add(cut(100))

    with pytest.raises(aiohttp.ClientPayloadError):
        await caller()


async def test_dripping_body_arrives_whole(
    standin: GitHubStandIn, caller: Caller, clock: FakeClock
) -> None:
    standin.faults.add(drip(20_000))

    status, _, body = await clock.run(caller())

    assert (status, json.loads(body)["id"]) == (200, standin.population.account_id(5))


async def test_caller_who_gives_up_on_a_hanging_answer_frees_its_place(
    standin: GitHubStandIn, caller: Caller
) -> None:
    standin.faults.add(hang(), times=1)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await caller()

    await caller()

    assert standin.counters.most_in_flight == 1


async def test_stopping_with_requests_in_flight_takes_less_than_a_second() -> None:
    standin = GitHubStandIn(Population(7, 50))
    all_arrived = asyncio.Event()

    def hang_and_tell(answer: Answer) -> Answer:
        if standin.counters.requests == 20:
            all_arrived.set()
        return hang()(answer)

    standin.faults.add(hang_and_tell)
    async with AsyncExitStack() as stack, aiohttp.ClientSession() as session:
        url = await stack.enter_async_context(serve(standin))
        asked = [asyncio.ensure_future(session.get(f"{url}/user/{n}")) for n in range(20)]
        await all_arrived.wait()

        started = time.monotonic()
        await stack.aclose()
        stopped_seconds = time.monotonic() - started
        endings = await asyncio.gather(*asked, return_exceptions=True)

    assert stopped_seconds < 1
    assert all(isinstance(ending, aiohttp.ClientError) for ending in endings)
