"""GitHub without a credential: sixty requests an hour, so sixty accounts at most."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from fakes.clock import FakeClock
from fakes.syncing import Syncing, syncing

from syncd.model.run import Outcome
from syncd.sandbox.github import GitHubStandIn
from syncd.store.database import Database


@pytest.fixture
async def world(
    database: Database, tmp_path: Path, clock: FakeClock, base_url: str
) -> AsyncIterator[Syncing]:
    async with syncing(database, tmp_path, base_url, clock=clock, token="") as world:
        yield world


async def link(world: Syncing, standin: GitHubStandIn, accounts: int) -> None:
    await world.link({f"u{index}": standin.population.login(index) for index in range(accounts)})


async def test_sixty_one_accounts_are_refused_with_a_sentence_before_anything_is_asked(
    world: Syncing, standin: GitHubStandIn
) -> None:
    await link(world, standin, 61)

    run = await world.run()

    assert (run.outcome, run.report.seen, standin.counters.requests) == (Outcome.FAILED, 0, 0)
    assert run.error == (
        "61 github accounts cannot be kept fresh without a credential: "
        "github answers 60 anonymous requests an hour"
    )
    assert "credentials of [platforms.github]" in run.hint


async def test_sixty_accounts_are_read_without_a_credential(
    world: Syncing, standin: GitHubStandIn
) -> None:
    await link(world, standin, 60)

    run = await world.run()

    assert (run.outcome, run.report.created) == (Outcome.SUCCEEDED, 60)
    assert standin.counters.primary_used == 60


async def test_anonymous_quota_is_waited_for_and_never_exceeded(
    world: Syncing, standin: GitHubStandIn, clock: FakeClock
) -> None:
    await link(world, standin, 60)
    await world.run()
    begun = clock.now()

    run = await world.run()

    waited = (clock.now() - begun).total_seconds()
    assert (run.outcome, run.report.unchanged) == (Outcome.SUCCEEDED, 60)
    assert 3590 < waited < 3700
    assert standin.counters.refused == {}
