"""Where plays may be lost: noted, told, and looked at sooner, but never without a rest."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from fakes.clock import FakeClock
from fakes.listened import Listened, listened
from fakes.spotify_world import RECORDED, SpotifyWorld, recorded_items

from syncd.store.database import Database
from syncd.telemetry.events import ConditionNoticed, GapFound, PlaysUnread

MINUTE = timedelta(minutes=1)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def spotify(clock: FakeClock) -> AsyncIterator[SpotifyWorld]:
    async with SpotifyWorld(12, clock=clock).served() as world:
        yield world


@pytest.fixture
async def world(
    database: Database, spotify: SpotifyWorld, clock: FakeClock, tmp_path: Path
) -> AsyncIterator[Listened]:
    async with listened(database, tmp_path, spotify, clock) as world:
        yield world


async def test_a_full_page_of_new_plays_is_a_gap_and_its_user_is_looked_at_sooner(
    world: Listened,
) -> None:
    await world.grant(range(2))
    world.standin.listeners.listen(0)
    await world.run()
    await world.pass_time(hours=6)
    world.standin.listeners.listen(0, times=60, every_seconds=120)

    run = await world.run()

    [gap] = world.told(GapFound)
    assert (gap.user_key, (await world.counts(run))[3]) == ("u0", 1)
    [kept] = await world.core.around.stores.listening.gaps("u0")
    assert (kept["after"], kept["before"], kept["run_id"]) == (gap.after, gap.before, run.id)
    # Fifty plays, two minutes each: half of the time that they span.
    assert gap.due_at - world.clock.now() == pytest.approx(timedelta(minutes=49), abs=MINUTE)
    work = world.core.scheduler.schedules()[0].job.work
    assert await work.next_retry(world.core.around, run.started_at) == gap.due_at


async def test_a_user_with_a_gap_is_not_looked_at_while_spotify_is_paused(world: Listened) -> None:
    await world.grant(range(2))
    await world.run()
    await world.pass_time(hours=6)
    world.standin.listeners.listen(0, times=60, every_seconds=60)
    began = await world.run()
    [gap] = world.told(GapFound)
    world.standin.fault_of(1, "rate_limited", {"retry_after": 80_000}, times=1)
    await world.run("u1")
    await world.clock.advance((gap.due_at - world.clock.now()).total_seconds() + 60)

    work = world.core.scheduler.schedules()[0].job.work
    found = await work.next_retry(world.core.around, began.started_at)

    assert found == world.platform.paused_until()


async def test_a_user_with_a_gap_whom_a_run_did_not_get_to_is_looked_at_a_while_later(
    world: Listened,
) -> None:
    await world.grant([0])
    await world.run()
    await world.pass_time(hours=6)
    world.standin.listeners.listen(0, times=60, every_seconds=60)
    began = await world.run()
    await world.pass_time(hours=5)

    work = world.core.scheduler.schedules()[0].job.work
    found = await work.next_retry(world.core.around, began.started_at)

    assert found == world.clock.now() + timedelta(minutes=15)


async def test_a_gap_after_days_without_a_run_is_no_sign_of_a_clock_that_was_ahead(
    world: Listened,
) -> None:
    await world.grant([0])
    await world.run()
    await world.pass_time(days=5)
    world.standin.listeners.listen(0, times=55, every_seconds=7_200)

    await world.run()
    await world.run()

    [gap] = world.told(GapFound)
    assert gap.due_at - world.clock.now() <= timedelta(hours=24)
    assert [event.condition for event in world.told(ConditionNoticed)] == []


async def test_a_play_that_is_dated_ahead_does_not_hide_those_before_it(
    database: Database, spotify: SpotifyWorld, clock: FakeClock, tmp_path: Path
) -> None:
    async with listened(database, tmp_path, spotify, clock, look_back="1h") as world:
        await world.grant([0])
        ahead = world.clock.now() + timedelta(hours=20)
        world.standin.listeners.listen(0, played_at=ahead.isoformat())
        await world.run()
        await world.pass_time(hours=2)
        world.standin.listeners.listen(0, played_at=world.clock.now().isoformat())

        run = await world.run()

        assert await world.counts(run) == (1, 1, 0, 0)
        assert await world.plays() == world.spotify.plays([0])


async def test_an_item_that_cannot_be_read_is_told_and_costs_no_play_beside_it(
    world: Listened,
) -> None:
    await world.grant([0])
    world.standin.listeners.silence(0)
    odd, *good = recorded_items(RECORDED[0])[:4]
    odd = {**odd, "track": {**odd["track"], "id": 7}}
    world.standin.listeners.hear(0, [odd, *good])

    run = await world.run()

    assert (run.outcome, await world.counts(run)) == ("succeeded", (3, 0, 1, 0))
    [told] = world.told(PlaysUnread)
    assert (told.user_key, told.items) == ("u0", 1)
    assert "track.id is no text: 7" in told.error
