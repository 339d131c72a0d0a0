"""Every platform with its stand-in, for the suite that asks all of them the same."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from random import Random
from types import MappingProxyType
from typing import Any, cast

from fakes.clock import FakeClock

from syncd import plugins
from syncd.config.models import PlatformSettings
from syncd.platforms.base import Platform
from syncd.sandbox import faults
from syncd.sandbox.faults import Fault
from syncd.sandbox.github import GitHubStandIn
from syncd.sandbox.population import Population
from syncd.telemetry.bus import Bus

TOKEN = "token-of-the-test"
FOUND = cast("Mapping[str, type[Platform]]", plugins.find("syncd.platforms"))


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A platform's stand-in and what the service documents.

    `handle` is of somebody who exists, `body` what is answered about them, `somebody_else` turns
    an answer into one about another person. The numbers are the documented upper limits.
    """

    standin: GitHubStandIn
    handle: str
    body: bytes
    somebody_else: Fault
    has_etags: bool
    requests_a_minute: float
    requests_an_hour: float
    requests_at_a_time: int


def github(clock: FakeClock) -> World:
    population = Population(7, 20, organizations=0)
    return World(
        standin=GitHubStandIn(population, clock=clock),
        handle=population.login(3),
        body=json.dumps(population.document(3)).encode(),
        somebody_else=faults.with_values({"id": 1, "login": "somebody-else"}),
        has_etags=True,
        requests_a_minute=900,
        requests_an_hour=5000,
        requests_at_a_time=100,
    )


WORLDS: Mapping[str, Callable[[FakeClock], World]] = MappingProxyType({"github": github})


@asynccontextmanager
async def connected(
    name: str, base_url: str, clock: FakeClock, **given: Any
) -> AsyncIterator[Platform]:
    settings = PlatformSettings.model_validate(
        {
            **dict(FOUND[name].defaults),
            "base_url": base_url,
            "allow_private": True,
            "credentials": [{"name": "main", "token": TOKEN}],
            **given,
        }
    )
    [platform] = FOUND[name].connect(name, settings, clock=clock, bus=Bus(), random=Random(1))
    async with platform.client:
        yield platform
