"""Codeforces asked about many at once, over real HTTP, in virtual time."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest
from fakes.clock import START, FakeClock
from fakes.platform_worlds import World, profile_of

from syncd.errors import AccountNotFound, PlatformBlocked, PlatformDown
from syncd.model.account import Account
from syncd.platforms.base import Platform
from syncd.platforms.codeforces import MOST_HANDLES, Codeforces
from syncd.sandbox import faults
from syncd.sandbox.codeforces import COOKIE_PAGE, CodeforcesStandIn

PAGES = "/profile/*"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def world(clock: FakeClock) -> World:
    world = World("codeforces", clock)
    world.standin = CodeforcesStandIn.make(7, 200, clock=clock)
    return world


@pytest.fixture
async def platform(world: World, clock: FakeClock) -> AsyncIterator[Platform]:
    async with world.connected(clock) as platform:
        yield platform


def full(world: World) -> list[Account]:
    return [world.account(index) for index in range(MOST_HANDLES)]


async def test_full_batch_is_one_request_whose_address_is_short_enough(
    platform: Platform, world: World, clock: FakeClock
) -> None:
    found = await clock.run(platform.fetch_many(full(world)))

    assert all(world.differences(int(each), profile_of(found[each])) == {} for each in found)
    assert (len(found), world.standin.counters.requests) == (Codeforces.batch_size, 1)
    longest = ";".join(["x" * 24] * MOST_HANDLES)
    assert len(longest) < 2_000


async def test_everybody_who_is_gone_costs_two_requests_and_nobody_is_refused(
    platform: Platform, world: World, clock: FakeClock
) -> None:
    asked = full(world)
    gone = [3, 20, 69]
    for index in gone:
        world.standin.changes()["vanish"](index)

    found = await clock.run(platform.fetch_many(asked))

    lost = [int(each) for each, what in found.items() if isinstance(what, AccountNotFound)]
    counters = world.standin.counters
    assert (lost, len(found)) == (gone, MOST_HANDLES)
    assert (counters.requests, counters.refused) == (1 + 2 * len(gone), {})


@pytest.mark.parametrize(
    "kept",
    [faults.html(), faults.instead(COOKIE_PAGE, content_type="text/html"), faults.server_error()],
    ids=["challenge", "cookie page", "down"],
)
async def test_pages_that_are_kept_from_us_cost_nobody_but_who_is_looked_for(
    platform: Platform, world: World, clock: FakeClock, kept: faults.Fault
) -> None:
    asked = full(world)
    world.standin.changes()["vanish"](3)
    world.standin.faults.add(kept, path=PAGES)

    found = await clock.run(platform.fetch_many(asked))

    lost = [int(each) for each, what in found.items() if isinstance(what, AccountNotFound)]
    assert (lost, len(found)) == ([3], MOST_HANDLES)
    assert platform.paused_until() is None


@pytest.mark.parametrize("size", [MOST_HANDLES, 1], ids=["among others", "alone"])
async def test_former_handle_that_is_answered_while_pages_are_kept_from_us(
    platform: Platform, world: World, clock: FakeClock, size: int
) -> None:
    asked = full(world)[3 : 3 + size]
    world.standin.changes()["rename"](3, "AdaNew")
    world.standin.faults.add(faults.html(), path=PAGES)
    rows = [{"handle": "AdaNew", "rating": 7}, *({"handle": each.handle} for each in asked[1:])]
    body = json.dumps({"status": "OK", "result": rows})
    world.standin.faults.add(faults.instead(body), path="/api/*")

    if size == 1:
        with pytest.raises(PlatformDown) as raised:
            await clock.run(platform.fetch_many(asked))
        assert raised.value.until is None
    else:
        found = await clock.run(platform.fetch_many(asked))
        assert [profile_of(found[each.id]).handle for each in asked] == [
            row["handle"] for row in rows
        ]
    assert platform.paused_until() is None


async def test_block_in_the_middle_of_a_batch_is_the_platforms_and_declares_nobody_gone(
    platform: Platform, world: World, clock: FakeClock
) -> None:
    asked = full(world)
    world.standin.changes()["vanish"](3)
    world.standin.faults.add(Later(1, faults.html()), path="/api/*")

    with pytest.raises(PlatformBlocked):
        await clock.run(platform.fetch_many(asked))


async def test_limit_in_the_middle_of_a_batch_is_waited_for_and_costs_nobody(
    platform: Platform, world: World, clock: FakeClock
) -> None:
    asked = full(world)
    world.standin.changes()["vanish"](3)
    world.standin.faults.add(Later(1, world.odd("call_limit_200").fault), path="/api/*", times=2)

    found = await clock.run(platform.fetch_many(asked))

    lost = [int(each) for each, what in found.items() if isinstance(what, AccountNotFound)]
    assert (lost, len(found)) == ([3], MOST_HANDLES)
    assert (clock.now() - START).total_seconds() >= 60


class Later:
    """Strikes only after so many answers were let through.

    Args:
        after: how many those are.
        fault: what then happens.
    """

    def __init__(self, after: int, fault: faults.Fault) -> None:
        self._left = after
        self._fault = fault

    def __call__(self, answer: faults.Answer) -> faults.Answer:
        self._left -= 1
        return answer if self._left >= 0 else self._fault(answer)
