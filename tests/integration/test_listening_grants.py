"""Grants in use: renewed by one at a time, doubted when refused, and no answer lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from fakes.clock import FakeClock
from fakes.listened import Listened, listened
from fakes.spotify_world import SpotifyWorld

from syncd.clock import SystemClock
from syncd.model.grant import Grant
from syncd.store.database import Database
from syncd.store.grant_refreshes import Answered
from syncd.store.key_file import KeyFile
from syncd.store.refresh_journal import NAME, RefreshJournal
from syncd.store.sealing import Sealer
from syncd.telemetry.events import AccountChanged, GrantDoubted, GrantExpiring, GrantsExpiring

HEALTH = "SELECT health FROM oauth_tokens JOIN accounts ON id = account_id ORDER BY user_id"

KEPT = """
SELECT row_to_json(runs)::text AS text FROM runs
UNION ALL SELECT row_to_json(item_outcomes)::text FROM item_outcomes
UNION ALL SELECT row_to_json(sync_state)::text FROM sync_state
UNION ALL SELECT row_to_json(accounts)::text FROM accounts
UNION ALL SELECT row_to_json(oauth_tokens)::text FROM oauth_tokens
UNION ALL SELECT row_to_json(dead_letters)::text FROM dead_letters
UNION ALL SELECT row_to_json(gates)::text FROM gates
"""


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def spotify(clock: FakeClock) -> AsyncIterator[SpotifyWorld]:
    async with SpotifyWorld(30, clock=clock, rotates=True).served() as world:
        yield world


@pytest.fixture
async def world(
    database: Database, spotify: SpotifyWorld, clock: FakeClock, tmp_path: Path
) -> AsyncIterator[Listened]:
    async with listened(database, tmp_path, spotify, clock) as world:
        yield world


async def health(world: Listened) -> list[str]:
    return [row["health"] for row in await world.fetch(HEALTH)]


async def grant_of(world: Listened, index: int) -> Grant:
    [row] = await world.fetch(
        "SELECT accounts.id FROM accounts JOIN users ON users.id = user_id WHERE key = $1",
        world.spotify.key(index),
    )
    found = (await world.core.around.stores.grants.load([row["id"]]))[row["id"]]
    assert isinstance(found, Grant)
    return found


async def test_fifty_that_need_one_grant_at_once_in_two_processes_ask_for_it_once(
    database: Database, spotify: SpotifyWorld, tmp_path: Path
) -> None:
    real = SystemClock()
    async with (
        Database(database.settings, real) as elsewhere,
        listened(database, tmp_path, spotify, real) as one,
        listened(elsewhere, tmp_path, spotify, real) as other,
    ):
        await one.grant([0])
        grant = await grant_of(one, 0)

        renewed = await asyncio.gather(
            *(
                each.core.around.grants.renew(each.platform, grant)
                for each in (one, other)
                for _ in range(25)
            )
        )

    assert spotify.standin.counters.refresh_calls == 1
    assert {each.version for each in renewed} == {grant.version + 1}
    assert len({each.access_token for each in renewed}) == 1


async def test_who_took_a_consent_back_is_doubted_then_given_up_and_others_go_on(
    world: Listened,
) -> None:
    await world.grant(range(6))
    world.standin.grants.withdraw(2)

    first = await world.run()

    assert (first.outcome, first.report.failed) == ("partial", 1)
    assert (await world.state(2))[0] == "active"
    assert await health(world) == ["ok", "ok", "suspect", "ok", "ok", "ok"]
    assert [event.reason for event in world.told(GrantDoubted)] != []

    await world.pass_time(minutes=30)
    asked = world.standin.counters.refreshes(2)
    await world.run()
    assert world.standin.counters.refreshes(2) == asked

    await world.pass_time(minutes=40)
    await world.run()
    state, reason = await world.state(2)
    assert state == "reauth_required"
    assert "refused" in reason
    assert [event.change for event in world.told(AccountChanged)] == ["reauth_required"]

    asked = world.standin.counters.refreshes(2)
    await world.pass_time(hours=2)
    last = await world.run()
    assert (last.outcome, last.report.seen) == ("succeeded", 5)
    assert world.standin.counters.refreshes(2) == asked


async def test_a_new_consent_makes_a_user_who_was_given_up_good_again(world: Listened) -> None:
    await world.grant(range(4))
    world.standin.grants.withdraw(1)
    await world.run()
    await world.pass_time(minutes=70)
    await world.run()
    assert (await world.state(1))[0] == "reauth_required"

    world.standin.grants.consent(1)
    await world.grant([1])
    run = await world.run()

    assert (run.outcome, run.report.seen) == ("succeeded", 4)
    assert await world.state(1) == ("active", "")


async def test_an_outage_that_refuses_everybody_costs_nobody_the_grant(world: Listened) -> None:
    await world.grant(range(20))
    await world.run()
    await world.pass_time(hours=2)
    world.standin.accounts.refuse_refreshes()

    run = await world.run()

    assert run.outcome == "partial"
    assert "provider outage suspected" in run.error
    assert set(await health(world)) == {"ok"}
    # As many as show a share, and those that are under way by then.
    assert world.standin.counters.refresh_calls < 20 + 15
    assert world.platform.paused_until() - world.clock.now() > timedelta(minutes=29)
    assert "provider outage suspected" in world.platform.waits_for()

    world.standin.accounts.accept_refreshes()
    await world.pass_time(minutes=30)
    after = await world.run()
    assert (after.outcome, after.report.seen) == ("succeeded", 20)


async def test_an_answer_that_was_not_stored_before_the_end_is_found_in_the_journal(
    world: Listened, tmp_path: Path
) -> None:
    await world.grant(range(2))
    grant = await grant_of(world, 0)
    sealer = Sealer(KeyFile(tmp_path / "state" / "token-keys"))
    await sealer.load()
    renewed = await world.clock.run(world.platform.refresh(grant.refresh_token))
    await RefreshJournal(tmp_path / "state" / NAME, sealer).keep(
        Answered(
            account_id=grant.account_id,
            version=grant.version,
            renewed=renewed,
            at=world.clock.now(),
        )
    )

    run = await world.run()

    assert (run.outcome, run.report.failed) == ("succeeded", 0)
    assert world.standin.counters.refreshes(0) == 1
    assert (await grant_of(world, 0)).refresh_token == renewed.refresh_token


async def test_an_answer_that_nobody_saw_ends_in_words_and_not_in_a_loop(world: Listened) -> None:
    await world.grant(range(4))
    grant = await grant_of(world, 0)
    store = world.core.around.stores.grants
    assert await store.begin_refresh(grant.account_id, grant.version, "killed") is not None
    await world.clock.run(world.platform.refresh(grant.refresh_token))
    await world.lapse()

    await world.run()
    await world.pass_time(minutes=70)
    await world.run()

    state, reason = await world.state(0)
    assert state == "reauth_required"
    assert "the answer to a refresh was lost" in reason
    asked = world.standin.counters.refreshes(0)
    await world.pass_time(hours=3)
    assert (await world.run()).outcome == "succeeded"
    assert world.standin.counters.refreshes(0) == asked


async def test_a_consent_that_ends_is_told_a_month_and_a_week_before_and_then_given_up(
    world: Listened,
) -> None:
    await world.grant(range(3))
    for days in (151, 23, 10):
        await world.pass_time(days=days)
        await world.run()

    assert [event.days for event in world.told(GrantExpiring)] == [30] * 3 + [7] * 3
    assert [event.users for event in world.told(GrantsExpiring)] == [3, 3]
    state, reason = await world.state(1)
    assert (state, "ended after six months" in reason) == ("reauth_required", True)


async def test_a_user_without_a_grant_is_not_asked_for(world: Listened) -> None:
    await world.grant(range(2))
    await world.fetch("DELETE FROM oauth_tokens WHERE account_id = (SELECT min(id) FROM accounts)")

    run = await world.run()

    assert (run.outcome, run.report.seen) == ("succeeded", 1)
    assert (await world.state(0))[0] == "reauth_required"


async def test_a_scope_that_was_not_granted_stops_that_user_alone(world: Listened) -> None:
    await world.grant(range(3))
    world.standin.fault_of(1, "no_scope")

    first = await world.run()
    second = await world.run()

    assert (first.report.failed, second.report.seen) == (1, 2)
    assert (await world.state(1))[0] == "reauth_required"


async def test_no_token_is_told_in_any_event_or_kept_with_a_run(world: Listened) -> None:
    await world.grant(range(6))
    world.standin.grants.withdraw(2)
    world.standin.fault_of(3, "access_expired")
    await world.run()
    await world.pass_time(hours=2)
    await world.run()

    assert "canary" not in repr(world.events)
    assert [row for row in await world.fetch(KEPT) if "canary" in row["text"]] == []
