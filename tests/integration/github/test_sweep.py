"""Many users in one call: what it finds, what it leaves to single ones, and what it costs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from fakes.clock import FakeClock
from fakes.syncing import Syncing, syncing

from syncd.model.run import Outcome
from syncd.sandbox.faults import hang, html, instead, server_error, too_many
from syncd.sandbox.github import GitHubStandIn
from syncd.sandbox.population import Population
from syncd.sandbox.server import serve
from syncd.store.database import Database
from syncd.telemetry.events import PlatformTripped, SweepSuspended

USERS = 120


@pytest.fixture
def population() -> Population:
    return Population(7, USERS, organizations=0, bots=0)


@pytest.fixture
async def world(
    database: Database, tmp_path: Path, base_url: str, clock: FakeClock, standin: GitHubStandIn
) -> AsyncIterator[Syncing]:
    """Everybody is linked and was read once."""
    async with syncing(database, tmp_path, base_url, clock=clock) as world:
        await world.link({f"u{n}": standin.population.login(n) for n in range(USERS)})
        await world.run()
        standin.counters.clear()
        yield world


def asked_alone(standin: GitHubStandIn) -> list[int]:
    return standin.counters.fetched()


async def test_unchanged_users_are_fresh_by_a_call_a_hundred(
    world: Syncing, standin: GitHubStandIn
) -> None:
    before = await world.account("u7")

    run = await world.run()

    after = await world.account("u7")
    assert (run.outcome, run.report.unchanged, run.report.calls) == (Outcome.SUCCEEDED, USERS, 2)
    assert (standin.counters.graphql, standin.counters.rest) == (2, 0)
    assert after["succeeded_at"] >= run.started_at
    assert after["detailed_at"] == before["detailed_at"] == before["succeeded_at"]
    assert (after["etag"], after["raw"]) == (before["etag"], before["raw"])


async def test_changed_users_cost_their_own_call_on_top(
    world: Syncing, standin: GitHubStandIn, population: Population
) -> None:
    moved = population.change_some(0.05)

    run = await world.run()
    second = await world.run()

    assert (run.report.updated, run.report.unchanged) == (len(moved), USERS - len(moved))
    assert asked_alone(standin) == moved
    assert (second.report.unchanged, second.report.calls) == (USERS, 2)


async def test_renamed_user_is_found_and_followed(
    world: Syncing, standin: GitHubStandIn, population: Population
) -> None:
    population.rename(7, "renamed-seven")

    run = await world.run()

    after = await world.account("u7")
    assert (run.report.updated, asked_alone(standin)) == (1, [7])
    assert after["handle"] == after["raw"]["login"] == "renamed-seven"


async def test_login_taken_over_by_a_stranger_is_never_merged(
    world: Syncing, standin: GitHubStandIn, population: Population
) -> None:
    known = await world.account("u7")
    stranger = population.take_over(known["handle"])

    await world.run()

    after = await world.account("u7")
    assert after["raw"]["id"] == int(known["external_id"]) != population.account_id(stranger)
    assert after["handle"] == population.login(7)
    assert standin.counters.fetches(stranger) == 0


async def test_sweep_alone_makes_nobody_gone_the_single_question_does(
    world: Syncing, standin: GitHubStandIn, population: Population
) -> None:
    population.vanish(7)
    population.change(8)

    first = await world.run()
    once = await world.account("u7")
    await world.pass_time(hours=12)
    population.change(8)
    await world.run()
    twice = await world.account("u7")

    assert first.report.failures == {"not_found": 1}
    assert (once["state"], once["outcome"], twice["state"]) == ("active", "not_found", "gone")
    assert standin.counters.by_status[404] == 2


async def test_nobody_is_gone_while_only_sweeps_are_answered(
    world: Syncing, standin: GitHubStandIn, population: Population
) -> None:
    population.change_some(0.5)
    standin.faults.add(instead('{"message": "Not Found"}', status=404), path="/user/*")

    first = await world.run()
    await world.pass_time(hours=12, minutes=1)
    await world.run()

    states = await world.fetch("SELECT DISTINCT state FROM accounts")
    assert first.report.failures == {"not_found": USERS // 2}
    assert [row["state"] for row in states] == ["active"]


async def test_user_who_became_an_organization_is_quarantined(
    world: Syncing, population: Population
) -> None:
    population.become_organization(7)

    run = await world.run()

    assert run.report.failures == {"unsuitable": 1}
    assert (await world.account("u7"))["state"] == "quarantined"


async def test_whoever_failed_is_asked_for_alone_until_it_works_again(
    world: Syncing, standin: GitHubStandIn, population: Population
) -> None:
    population.edit(7, {"followers": "many"})
    await world.run()
    population.edit(7, {"followers": 3})
    standin.counters.clear()

    run = await world.run()
    later = await world.run()

    assert (asked_alone(standin), run.report.updated) == ([7], 1)
    assert (later.report.unchanged, later.report.calls) == (USERS, 2)


async def test_raw_copy_is_confirmed_within_a_week_and_not_for_all_in_one_pass(
    world: Syncing, standin: GitHubStandIn, population: Population
) -> None:
    # Only the single answer tells of this.
    as_before = population.document(7)["updated_at"]
    population.edit(7, {"hireable": True, "updated_at": as_before})
    alone: list[int] = []

    for _ in range(14):
        await world.pass_time(hours=12)
        standin.counters.clear()
        await world.run()
        alone.append(len(asked_alone(standin)))

    assert alone[:6] == [0] * 6
    assert max(alone) < USERS / 4
    assert sum(alone) == USERS
    assert (await world.account("u7"))["raw"]["hireable"] is True


async def test_difference_between_the_two_apis_heals_at_the_cost_of_one_free_answer(
    world: Syncing, standin: GitHubStandIn, population: Population, database: Database
) -> None:
    async with database.transaction() as connection:
        await connection.execute("UPDATE sync_state SET sweep_digest = 'guessed wrong'")

    first = await world.run()
    second = await world.run()

    assert (first.report.unchanged, first.report.saved) == (USERS, USERS)
    assert (second.report.unchanged, second.report.calls) == (USERS, 2)
    assert standin.counters.primary_used == 0


async def test_digest_that_was_never_stored_is_learned_by_the_first_sweep(
    world: Syncing, database: Database
) -> None:
    async with database.transaction() as connection:
        await connection.execute("UPDATE sync_state SET sweep_digest = ''")

    await world.run()

    assert (await world.run()).report.calls == 2


async def test_whoever_errors_in_every_sweep_is_asked_for_alone(
    world: Syncing, standin: GitHubStandIn
) -> None:
    standin.graphql.failing = frozenset({7, 8})

    run = await world.run()

    assert (run.outcome, run.report.unchanged) == (Outcome.SUCCEEDED, USERS)
    assert asked_alone(standin) == [7, 8]
    # Two hauls; where somebody errored he was asked about again, both may be in the same one.
    assert standin.counters.graphql in {3, 4}


async def test_limits_of_a_question_are_learned_and_nobody_is_asked_for_alone(
    world: Syncing, standin: GitHubStandIn
) -> None:
    standin.graphql.most_ids = 30

    run = await world.run()

    assert (run.report.unchanged, asked_alone(standin)) == (USERS, [])
    assert standin.counters.graphql < 14


@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_graphql_that_is_down_is_no_failure_of_the_platform(
    world: Syncing, standin: GitHubStandIn, status: int
) -> None:
    standin.faults.add(server_error(status), path="/graphql")

    run = await world.run()

    told = [event for event in world.events if isinstance(event, SweepSuspended)]
    assert (run.outcome, run.report.unchanged) == (Outcome.SUCCEEDED, USERS)
    assert run.report.saved == USERS
    assert standin.counters.graphql == 8
    assert [event.seconds for event in told] == [60.0]
    assert not [event for event in world.events if isinstance(event, PlatformTripped)]


async def test_short_trouble_costs_some_calls_and_nobody_is_asked_for_alone(
    world: Syncing, standin: GitHubStandIn
) -> None:
    standin.faults.add(server_error(502), path="/graphql", times=3)

    run = await world.run()

    assert (run.report.unchanged, asked_alone(standin)) == (USERS, [])


async def test_platform_that_is_down_altogether_is_given_up_and_everybody_stays_due(
    world: Syncing, standin: GitHubStandIn
) -> None:
    standin.faults.add(server_error(502))

    run = await world.run()

    assert (run.outcome, run.report.seen) == (Outcome.FAILED, 0)
    assert "github fails since" in run.error


@pytest.mark.parametrize("body", ['{"data": {"nodes": [', "not json", ""])
async def test_answer_that_cannot_be_read_is_asked_for_in_smaller_parts(
    world: Syncing, standin: GitHubStandIn, body: str
) -> None:
    standin.faults.add(instead(body), path="/graphql", times=2)

    run = await world.run()

    assert (run.outcome, run.report.unchanged, asked_alone(standin)) == ("succeeded", USERS, [])


async def test_credential_without_the_right_to_graphql_is_told_once_and_rest_does_it(
    world: Syncing, standin: GitHubStandIn
) -> None:
    standin.graphql.is_forbidden = True

    run = await world.run()

    [told] = [event for event in world.events if isinstance(event, SweepSuspended)]
    assert (run.outcome, run.report.unchanged, run.report.saved) == ("succeeded", USERS, USERS)
    assert (standin.counters.graphql, told.seconds) == (1, None)
    assert "the credential has no right to this" in told.error


async def test_page_instead_of_graphql_is_no_block_of_the_platform(
    world: Syncing, standin: GitHubStandIn
) -> None:
    standin.faults.add(html(), path="/graphql")

    run = await world.run()

    assert (run.outcome, run.report.unchanged, standin.counters.graphql) == ("succeeded", USERS, 1)


async def test_pause_that_a_sweep_is_asked_for_is_kept_and_nobody_is_lost(
    world: Syncing, standin: GitHubStandIn
) -> None:
    standin.faults.add(too_many(retry_after=900), path="/graphql", times=1)

    run = await world.run()

    assert run.finished_at is not None
    assert run.started_at is not None
    assert (run.finished_at - run.started_at).total_seconds() >= 900
    assert (run.report.unchanged, run.report.calls) == (USERS, 3)


async def test_used_up_points_hold_the_sweep_alone_and_are_not_refused_twice(
    database: Database, tmp_path: Path, clock: FakeClock, population: Population
) -> None:
    standin = GitHubStandIn(population, clock=clock)
    async with (
        serve(standin) as base_url,
        syncing(database, tmp_path, base_url, clock=clock) as world,
    ):
        await world.link({f"u{n}": population.login(n) for n in range(USERS)})
        await world.run()
        exhausted = '{"errors": [{"type": "RATE_LIMITED", "message": "API rate limit exceeded"}]}'
        standin.faults.add(instead(exhausted), path="/graphql")

        run = await world.run()

        standin.faults.clear()
        told = [event.seconds for event in world.events if isinstance(event, SweepSuspended)]
        standin.counters.clear()
        await world.pass_time(hours=1)
        later = await world.run()

    assert (run.outcome, run.report.unchanged, run.report.saved) == ("succeeded", USERS, USERS)
    assert run.finished_at is not None
    assert run.started_at is not None
    assert run.finished_at - run.started_at < timedelta(minutes=5)
    assert len(told) == 1
    assert told[0] is not None
    assert told[0] > 60
    assert (later.report.unchanged, standin.counters.graphql, standin.counters.rest) == (
        USERS,
        2,
        0,
    )


async def test_revoked_credential_ends_the_pass_at_the_sweep_and_touches_nobody(
    world: Syncing, standin: GitHubStandIn
) -> None:
    standin.revoke("ghp_one")

    run = await world.run()

    assert (run.outcome, run.report.seen, run.hint) == ("failed", 0, "renew the credential main")
    assert standin.counters.requests == 1


async def test_sweep_that_hangs_is_asked_in_smaller_parts_after_its_deadline(
    world: Syncing,
    standin: GitHubStandIn,
    database: Database,
    tmp_path: Path,
    base_url: str,
    clock: FakeClock,
) -> None:
    standin.faults.add(hang(), path="/graphql", times=1)

    async with syncing(database, tmp_path, base_url, clock=clock, timeout="1s") as hurried:
        run = await hurried.run()

    assert (run.outcome, run.report.unchanged, asked_alone(standin)) == ("succeeded", USERS, [])


async def test_full_and_named_runs_ask_for_everybody_alone(
    world: Syncing, standin: GitHubStandIn
) -> None:
    await world.run(full=True)
    await world.run("u7", "u8")

    assert (standin.counters.graphql, standin.counters.rest) == (0, USERS + 2)


async def test_whoever_opted_out_is_not_swept(world: Syncing, standin: GitHubStandIn) -> None:
    await world.withdraw("u7")

    await world.run()

    assert standin.counters.graphql_ids == USERS - 1


async def test_job_without_sweep_asks_for_everybody_alone(
    world: Syncing,
    standin: GitHubStandIn,
    database: Database,
    tmp_path: Path,
    base_url: str,
    clock: FakeClock,
) -> None:
    async with syncing(database, tmp_path, base_url, clock=clock, sweep=False) as other:
        run = await other.run()

    assert (run.report.unchanged, run.report.saved) == (USERS, USERS)
    assert (standin.counters.graphql, standin.counters.rest) == (0, USERS)


async def test_dry_run_sweeps_and_writes_nothing(
    world: Syncing, standin: GitHubStandIn, population: Population
) -> None:
    before = await world.account("u7")
    population.change(7)

    run = await world.run(dry_run=True)

    assert (run.report.updated, run.report.unchanged, standin.counters.rest) == (1, USERS - 1, 1)
    assert await world.account("u7") == before
