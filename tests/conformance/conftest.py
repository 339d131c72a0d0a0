from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from fakes.clock import FakeClock
from fakes.platform_worlds import FOUND, World

from syncd.model.account import Account
from syncd.platforms.base import Platform


@pytest.fixture(params=list(FOUND))
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def world(name: str, clock: FakeClock) -> World:
    return World(name, clock)


@pytest.fixture
async def platform(world: World, clock: FakeClock) -> AsyncIterator[Platform]:
    async with world.connected(clock) as platform:
        yield platform


@pytest.fixture
def account(world: World) -> Account:
    return world.account()
