"""Outages of the token endpoint, which say nothing about a single grant."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from fakes.clock import FakeClock
from fakes.listened import Listened, listened
from fakes.spotify_world import SpotifyWorld

from syncd.sandbox.faults import FAULTS
from syncd.sandbox.spotify import TOKEN_PATH
from syncd.store.database import Database

STATES = """
SELECT state || ' ' || health AS state FROM oauth_tokens JOIN accounts ON id = account_id
"""


@pytest.fixture
async def world(database: Database, tmp_path: Path) -> AsyncIterator[Listened]:
    clock = FakeClock()
    async with (
        SpotifyWorld(30, clock=clock, rotates=True).served() as spotify,
        listened(database, tmp_path, spotify, clock) as world,
    ):
        yield world


async def states(world: Listened) -> set[str]:
    return {row["state"] for row in await world.fetch(STATES)}


async def test_an_outage_that_begins_with_errors_and_then_refuses_everybody_costs_no_grant(
    world: Listened,
) -> None:
    await world.grant(range(20))
    await world.run()
    await world.pass_time(hours=2)
    world.standin.faults.add(FAULTS["server_error"](), path=TOKEN_PATH)
    await world.run()
    world.standin.faults.clear()
    world.standin.accounts.refuse_refreshes()

    for _ in range(10):
        await world.pass_time(hours=3)
        await world.run()

    assert {each.split()[0] for each in await states(world)} == {"active"}


async def test_who_was_refused_by_mistake_before_an_outage_is_not_given_up_in_it(
    world: Listened,
) -> None:
    await world.grant(range(12))
    world.standin.accounts.refuse_refreshes(index=0, times=1)
    await world.run()
    await world.pass_time(hours=2)
    world.standin.accounts.refuse_refreshes()

    run = await world.run()

    assert "provider outage suspected" in run.error
    assert {each.split()[0] for each in await states(world)} == {"active"}
    world.standin.accounts.accept_refreshes()
    await world.pass_time(hours=1)
    assert (await world.run()).outcome == "succeeded"
    assert await states(world) == {"active ok"}


async def test_many_who_took_their_consent_back_are_given_up_after_a_day_and_keep_nobody_waiting(
    world: Listened,
) -> None:
    for index in range(8):
        world.standin.grants.withdraw(index)
    await world.grant(range(30))

    first = await world.run()
    users = await world.fetch("SELECT count(DISTINCT user_id) AS users FROM listening_data")
    for _ in range(10):
        await world.pass_time(hours=3)
        await world.run()

    assert "outage" not in first.error
    # Who never listened has no plays.
    assert users[0]["users"] >= 18
    counted = Counter(row["state"] for row in await world.fetch(STATES))
    assert counted == {"active ok": 22, "reauth_required dead": 8}
