"""Retries, pauses and quotas, from the server's answer to our next request."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from aiohttp import web
from fakes.clock import FakeClock
from fakes.scripted import Platform, World, says, scripted_world

from syncd.errors import (
    BadPayload,
    PlatformDown,
    RateLimited,
)
from syncd.outbound.limits import Limits
from syncd.outbound.request import Request
from syncd.telemetry.events import PlatformRecovered, PlatformThrottled, RequestRetried

ASK = Request(segments=("users", "octocat"))


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with scripted_world() as world:
        yield world


@pytest.fixture
def platform(world: World) -> Platform:
    return world.platform


async def test_a_304_costs_nothing(platform: Platform, world: World) -> None:
    platform.says(lambda _: web.Response(status=304))
    client = await world.client(limits=Limits(rate=1_000, burst=50, quota=5))

    for _ in range(20):
        response = await client.request(ASK)

    assert (response.status, response.data) == (304, None)
    assert (client.gate.calls, client.gate.saved, client.gate.quota.left()) == (20, 20, 5)


async def test_what_may_pass_is_tried_again_with_growing_waits(
    platform: Platform, world: World
) -> None:
    clock = FakeClock()
    platform.says(says(500), says(502, "<html>"), says(503), says(200, '{"id": 1}'))
    client = await world.client(clock)

    response = await clock.run(client.request(ASK))

    retried = [event for event in world.events if isinstance(event, RequestRetried)]
    assert response.data == {"id": 1}
    assert [(event.attempt, event.error) for event in retried] == [
        (1, "cannot GET /api/users/octocat on github: HTTP 500"),
        (2, "cannot GET /api/users/octocat on github: HTTP 502"),
        (3, "cannot GET /api/users/octocat on github: HTTP 503"),
    ]
    assert all(0 <= event.delay_seconds <= 0.5 * 2 ** (event.attempt - 1) for event in retried)
    assert clock.monotonic() == pytest.approx(sum(event.delay_seconds for event in retried))


async def test_an_outage_is_met_with_four_attempts_and_at_most_twice_the_requests(
    platform: Platform, world: World
) -> None:
    clock = FakeClock()
    platform.says(says(503))
    client = await world.client(clock)

    for number in range(50):
        with pytest.raises(PlatformDown, match="HTTP 503"):
            await clock.run(client.request(ASK))
        if number == 0:
            assert len(platform.requests) == 4

    assert len(platform.requests) <= 2 * 50 + 10


@pytest.mark.parametrize("status", [429, 503])
async def test_a_short_pause_is_waited_through_before_the_next_attempt(
    platform: Platform, world: World, status: int
) -> None:
    clock = FakeClock()
    platform.says(says(status, Retry_After="30"), says(200))
    client = await world.client(clock)

    await clock.run(client.request(ASK))

    assert clock.monotonic() == pytest.approx(30)
    assert len(platform.requests) == 2


async def test_a_pause_until_a_date_is_relative_to_the_servers_clock(
    platform: Platform, world: World
) -> None:
    clock = FakeClock()
    dates = {
        "Date": "Sun, 01 Mar 2020 12:00:00 GMT",
        "Retry_After": "Sun, 01 Mar 2020 12:00:45 GMT",
    }
    platform.says(says(429, **dates), says(200))
    client = await world.client(clock)

    await clock.run(client.request(ASK))

    assert clock.monotonic() == pytest.approx(45)


async def test_a_long_pause_stops_everybody_at_once_and_sends_nothing_more(
    platform: Platform, world: World
) -> None:
    clock = FakeClock()
    platform.says(says(429, Retry_After="3600"))
    client = await world.client(clock, Limits(rate=1, burst=1, slots=1))

    results = await clock.run(
        asyncio.wait_for(
            asyncio.gather(*(client.request(ASK) for _ in range(20)), return_exceptions=True), 5
        )
    )

    until = clock.now() + timedelta(seconds=3_600)
    assert len(platform.requests) == 1
    assert all(isinstance(result, RateLimited) for result in results)
    assert all(result.until <= until for result in results if isinstance(result, RateLimited))


async def test_a_storm_of_refusals_is_told_once_and_its_end_once(
    platform: Platform, world: World
) -> None:
    clock = FakeClock()
    platform.says(*[says(429, Retry_After="20")] * 5, says(200))
    client = await world.client(clock)

    async def everyone() -> None:
        await asyncio.gather(*(client.request(ASK) for _ in range(10)))

    await clock.run(everyone())

    told = [event for event in world.events if not isinstance(event, RequestRetried)]
    assert [type(event) for event in told] == [PlatformThrottled, PlatformRecovered]


async def test_pauses_that_never_end_are_given_up(platform: Platform, world: World) -> None:
    clock = FakeClock()
    platform.says(says(429, Retry_After="1"))
    client = await world.client(clock)

    with pytest.raises(RateLimited):
        await clock.run(client.request(ASK))

    assert len(platform.requests) == 4


async def test_no_slot_is_held_while_a_retry_waits(platform: Platform, world: World) -> None:
    clock = FakeClock()
    platform.says(says(500), says(200))
    client = await world.client(clock, Limits(rate=1_000, burst=10, slots=1))
    failing = asyncio.create_task(client.request(ASK))
    await world.first_event.wait()

    held = client.gate.in_flight
    other = await client.request(ASK)
    waits = not failing.done()
    await clock.run(asyncio.wait_for(failing, 5))

    assert (held, other.status, waits) == (0, 200, True)


async def test_what_the_server_says_about_the_quota_stops_us_before_it_must(
    platform: Platform, world: World
) -> None:
    platform.says(says(200, X_RateLimit_Remaining="0"))
    client = await world.client(FakeClock())
    await client.request(ASK)

    with pytest.raises(RateLimited, match="quota"):
        await client.request(ASK)

    assert len(platform.requests) == 1


async def test_a_bad_payload_does_not_count_as_a_recovery(platform: Platform, world: World) -> None:
    clock = FakeClock()
    platform.says(says(429, Retry_After="5"), says(200, "oops"))
    client = await world.client(clock)

    with pytest.raises(BadPayload):
        await clock.run(client.request(ASK))

    assert not any(isinstance(event, PlatformRecovered) for event in world.events)
