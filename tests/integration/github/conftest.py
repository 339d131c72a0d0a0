"""The stand-in with its population, and syncd following two of its users."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from fakes.clock import FakeClock
from fakes.syncing import Syncing, syncing

from syncd.sandbox.github import GitHubStandIn
from syncd.sandbox.population import Population
from syncd.sandbox.server import serve
from syncd.store.database import Database


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def population() -> Population:
    return Population(7, 100, organizations=0)


@pytest.fixture
def standin(population: Population, clock: FakeClock) -> GitHubStandIn:
    return GitHubStandIn(population, clock=clock)


@pytest.fixture
async def base_url(standin: GitHubStandIn) -> AsyncIterator[str]:
    async with serve(standin) as url:
        yield url


@pytest.fixture
async def world(
    database: Database, tmp_path: Path, base_url: str, clock: FakeClock, population: Population
) -> AsyncIterator[Syncing]:
    """Ada (index 1) and Bo (index 2) are linked and synced."""
    async with syncing(database, tmp_path, base_url, clock=clock) as world:
        await world.link({"ada": population.login(1), "bo": population.login(2)})
        await world.run()
        yield world
