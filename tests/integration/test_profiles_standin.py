"""Whole runs against the stand-in: limits, storms and outages, and nothing is lost by any."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from fakes.clock import FakeClock
from fakes.syncing import Syncing, syncing

from syncd.model.run import Outcome
from syncd.sandbox.faults import html, server_error, too_many
from syncd.sandbox.github import GitHubStandIn
from syncd.sandbox.population import Population
from syncd.sandbox.server import serve
from syncd.store.database import Database

USERS = 120


@pytest.fixture
def population() -> Population:
    return Population(7, USERS, organizations=0, bots=0)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def standin(population: Population, clock: FakeClock) -> GitHubStandIn:
    return GitHubStandIn(population, clock=clock)


@pytest.fixture
async def world(
    database: Database,
    tmp_path: Path,
    standin: GitHubStandIn,
    population: Population,
    clock: FakeClock,
) -> AsyncIterator[Syncing]:
    async with (
        serve(standin) as base_url,
        syncing(database, tmp_path, base_url, clock=clock) as world,
    ):
        await world.link({f"u{n}": population.login(n) for n in range(USERS)})
        yield world


async def test_the_second_run_costs_nothing_of_the_quota(
    world: Syncing, standin: GitHubStandIn
) -> None:
    first = await world.run()
    used = standin.counters.primary_used

    second = await world.run(full=True)

    assert (first.report.created, first.report.calls) == (USERS, USERS)
    assert (second.report.unchanged, second.report.saved) == (USERS, USERS)
    assert standin.counters.primary_used == used == USERS


async def test_only_who_changed_is_updated(world: Syncing, population: Population) -> None:
    await world.run()
    changed = population.change_some(0.1)

    run = await world.run()

    assert (run.report.updated, run.report.unchanged) == (len(changed), USERS - len(changed))


async def test_a_pause_the_platform_asks_for_is_waited_through_and_nobody_is_lost(
    world: Syncing, standin: GitHubStandIn
) -> None:
    standin.faults.add(too_many(retry_after=900), times=1)

    run = await world.run()

    assert (run.outcome, run.report.created, run.report.failed) == (Outcome.SUCCEEDED, USERS, 0)
    assert run.finished_at is not None
    assert run.started_at is not None
    assert (run.finished_at - run.started_at).total_seconds() >= 900


async def test_a_storm_of_server_errors_costs_tries_and_loses_nobody(
    world: Syncing, standin: GitHubStandIn
) -> None:
    standin.faults.add(server_error(502), share=0.3)
    first = await world.run()
    standin.faults.clear()

    second = await world.run()

    assert first.report.seen == first.report.created + first.report.failed == USERS
    assert second.report.created + second.report.unchanged == USERS
    assert await world.count("profiles") == USERS


async def test_a_platform_that_blocks_us_leaves_everybody_due_and_nobody_missing(
    world: Syncing, standin: GitHubStandIn
) -> None:
    standin.faults.add(html(403))
    blocked = await world.run()
    standin.faults.clear()
    await world.pass_time(minutes=10)

    run = await world.run()

    assert (blocked.outcome, blocked.report.seen) == (Outcome.FAILED, 0)
    assert standin.counters.by_status[403] < USERS
    assert (run.outcome, run.report.created) == (Outcome.SUCCEEDED, USERS)


async def test_a_refused_credential_fails_the_run_and_nobody_is_called_missing(
    world: Syncing, standin: GitHubStandIn
) -> None:
    standin.accept_only("another token")

    run = await world.run()

    assert (run.outcome, run.report.seen) == (Outcome.FAILED, 0)
    assert run.hint == "renew the credential main"
    assert standin.counters.unauthorised <= 10


async def test_an_odd_answer_and_a_vanished_user_among_many_fail_alone(
    world: Syncing, standin: GitHubStandIn, population: Population
) -> None:
    population.edit(5, {"followers": "many"})
    population.vanish(9)

    run = await world.run()

    assert (run.outcome, run.report.created) == (Outcome.PARTIAL, USERS - 2)
    assert run.report.failures == {"schema_error": 1, "not_found": 1}
