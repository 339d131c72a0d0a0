"""The months that plays are kept by: each has its own, and nobody waits long for a new one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from fakes.clock import FakeClock
from fakes.listened import Listened, listened
from fakes.spotify_world import SpotifyWorld
from fakes.waiting import until

from syncd.model.account import AccountId
from syncd.store.database import Database

VACUUMS = "SELECT FROM pg_stat_progress_vacuum WHERE relid = 'listening_data_all'::regclass"


@asynccontextmanager
async def autovacuum_soon(world: Listened) -> AsyncIterator[None]:
    """Let PostgreSQL look every second for tables to vacuum."""
    reload = "SELECT pg_reload_conf()"
    await world.fetch("ALTER SYSTEM SET autovacuum_naptime = 1")
    await world.fetch(reload)
    try:
        yield
    finally:
        await world.fetch("ALTER SYSTEM RESET autovacuum_naptime")
        await world.fetch(reload)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def world(database: Database, clock: FakeClock, tmp_path: Path) -> AsyncIterator[Listened]:
    async with (
        SpotifyWorld(12, clock=clock).served() as spotify,
        listened(database, tmp_path, spotify, clock) as world,
    ):
        yield world


async def test_plays_fall_into_the_month_they_belong_to_and_history_is_forgotten_whole(
    world: Listened,
) -> None:
    await world.grant(range(2))
    await world.run()  # makes the months that begin now
    for _ in range(3):
        world.standin.listeners.listen(0, times=30)
        await world.pass_time(hours=4)
        await world.run()

    names = "SELECT DISTINCT tableoid::regclass::text AS name FROM listening_data ORDER BY 1"
    months = [row["name"] for row in await world.fetch(names)]
    assert months == ["listening_data_2026_01", "listening_data_all"]

    listening = world.core.around.stores.listening
    kept = world.spotify.plays([1])
    mine = len(await world.plays()) - len(kept)
    assert await listening.forget_history("u0") == mine > 90
    assert await world.plays() == kept
    assert (await listening.gaps("u0"), await listening.forget_history("u0")) == ([], 0)


async def test_months_wait_for_a_long_reader_a_moment_and_come_with_a_later_run(
    world: Listened,
) -> None:
    database, later = world.core.database, world.clock.now() + timedelta(days=400)
    listening = world.core.around.stores.listening
    async with database.transaction() as reader, asyncio.timeout(5):
        await reader.fetch("SELECT count(*) FROM listening_data")
        made = await listening.keep_partitions(later)
        known = await listening.cursors([AccountId(1)])

    assert (made, known) == (0, {})
    assert await listening.keep_partitions(later) == 3


async def test_months_are_made_although_autovacuum_is_at_the_plays(world: Listened) -> None:
    await world.grant(range(12))
    await world.run()
    slowly = {
        "threshold": 0,
        "scale_factor": 0,
        "insert_threshold": 0,
        "cost_limit": 1,
        "cost_delay": 100,
    }
    options = ", ".join(f"autovacuum_vacuum_{name} = {value}" for name, value in slowly.items())
    await world.fetch(f"ALTER TABLE listening_data_all SET ({options})")
    await world.fetch("UPDATE listening_data_all SET track_id = track_id")
    later = world.clock.now() + timedelta(days=400)

    async def is_at_it() -> bool:
        return bool(await world.fetch(VACUUMS))

    async with autovacuum_soon(world):
        await until(is_at_it, what="autovacuum to look after the plays")
        assert await world.core.around.stores.listening.keep_partitions(later) == 3
