"""Questions about many things at once: their failure is told at once and says nothing of others."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from fakes.clock import FakeClock
from fakes.scripted import Platform, World, says, scripted_world

from syncd.errors import PlatformBlocked, PlatformDown, PlatformTrouble
from syncd.outbound.breaker import BreakerState
from syncd.outbound.request import Request

ONE = Request(segments=("users", "octocat"))
MANY = Request(segments=("graphql",), method="POST", json={"ids": [1]}, is_divisible=True)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with scripted_world() as world:
        yield world


@pytest.fixture
def platform(world: World) -> Platform:
    return world.platform


async def test_failure_is_told_at_once_because_less_is_asked_next(
    platform: Platform, world: World
) -> None:
    platform.says(says(502))
    client = await world.client(FakeClock())

    with pytest.raises(PlatformDown):
        await client.request(MANY)

    assert len(platform.requests) == 1


@pytest.mark.parametrize(("status", "error"), [(502, PlatformDown), (403, PlatformBlocked)])
async def test_any_number_of_failures_leaves_the_way_open_for_everything_else(
    platform: Platform, world: World, status: int, error: type[PlatformTrouble]
) -> None:
    platform.says(says(status))
    client = await world.client(FakeClock())

    for _ in range(60):
        with pytest.raises(error) as told:
            await client.request(MANY)
        assert told.value.until is None
    platform.says(says(200))

    assert (await client.request(ONE)).status == 200
    assert client.gate.breaker.state is BreakerState.CLOSED


async def test_it_does_not_leave_while_the_platform_is_given_up(
    platform: Platform, world: World
) -> None:
    clock = FakeClock()
    platform.says(says(502))
    client = await world.client(clock)
    for number in range(20):
        with pytest.raises(PlatformDown):
            await clock.run(client.request(Request(segments=("users", str(number)))))
    asked = len(platform.requests)

    with pytest.raises(PlatformDown) as told:
        await client.request(MANY)

    assert told.value.until is not None
    assert len(platform.requests) == asked


async def test_its_good_answer_leaves_it_to_others_to_show_that_they_are_answered(
    platform: Platform, world: World
) -> None:
    clock = FakeClock()
    platform.says(says(502))
    client = await world.client(clock)
    for number in range(20):
        with pytest.raises(PlatformDown):
            await clock.run(client.request(Request(segments=("users", str(number)))))
    await clock.advance(60)
    platform.says(says(200))

    await client.request(MANY)
    after_many = client.gate.breaker.state
    await client.request(ONE)

    assert (after_many, client.gate.breaker.state) == (BreakerState.HALF_OPEN, BreakerState.CLOSED)


async def test_good_answers_to_it_do_not_hide_that_everything_else_is_blocked(
    platform: Platform, world: World
) -> None:
    clock = FakeClock()
    client = await world.client(clock)
    openings = []
    for round_number in range(3):
        for number in range(5):
            platform.says(says(200))
            await client.request(MANY)
            platform.says(says(403))
            with pytest.raises(PlatformBlocked):
                await client.request(Request(segments=("users", f"{round_number}-{number}")))
            if client.gate.breaker.state is BreakerState.OPEN:
                break
        openings.append(client.gate.breaker.openings)
        await clock.advance(3_600)

    assert openings == [1, 2, 3]
    assert platform.paths.count("/api/graphql") == 5 + 1 + 1


async def test_path_may_begin_above_the_end_of_the_base_url(
    platform: Platform, world: World
) -> None:
    platform.says(says(200))
    client = await world.client()

    await client.request(Request(segments=("graphql",)))
    await client.request(Request(segments=("graphql",), up=1))

    assert platform.paths == ["/api/graphql", "/graphql"]
