"""A journal of refreshes that cannot be read: nobody's token is spent, and all else goes on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from fakes.clock import FakeClock
from fakes.listened import Listened, listened
from fakes.spotify_world import SpotifyWorld

from syncd.store.database import Database
from syncd.store.refresh_journal import NAME
from syncd.telemetry.events import ConditionNoticed


@pytest.fixture
async def world(database: Database, tmp_path: Path) -> AsyncIterator[Listened]:
    clock = FakeClock()
    # A folder cannot be read as a file by root either.
    (tmp_path / "state" / NAME).mkdir(parents=True)
    async with (
        SpotifyWorld(3, clock=clock, rotates=True).served() as spotify,
        listened(database, tmp_path, spotify, clock) as world,
    ):
        yield world


async def test_no_grant_is_refreshed_while_the_journal_cannot_be_read(
    world: Listened, tmp_path: Path
) -> None:
    await world.grant(range(3))

    refused = await world.run()

    assert refused.outcome == "failed"
    assert f"cannot read {tmp_path / 'state' / NAME}" in refused.error
    assert world.standin.counters.refresh_calls == 0
    (tmp_path / "state" / NAME).rmdir()
    assert (await world.run()).outcome == "succeeded"


async def test_a_daemon_begins_all_the_same_and_tells_of_it(world: Listened) -> None:
    await world.core.learn()

    [noticed] = world.told(ConditionNoticed)
    assert f"state/{NAME}" in noticed.condition
    assert "move" in noticed.hint
