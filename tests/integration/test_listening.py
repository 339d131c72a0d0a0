"""A run of the listening kind: every play once, whatever comes of pages, tokens and runs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

import pytest
from fakes.clock import FakeClock
from fakes.listened import JOB, Listened, listened
from fakes.spotify_world import RECORDED, SpotifyWorld, recorded_items
from fakes.waiting import until

from syncd.model.run import Outcome, RunOptions
from syncd.sandbox.spotify_faults import PLAYED
from syncd.store.database import Database
from syncd.telemetry.events import PlaysCounted, PlaysStored, UsersFound


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


async def test_what_users_listened_to_is_stored_once_and_a_second_run_finds_nothing_new(
    world: Listened,
) -> None:
    await world.grant(range(4))
    for index in range(4):
        world.standin.listeners.listen(index, times=3)

    first = await world.run()
    second = await world.run()

    stored = await world.plays()
    assert stored == world.spotify.plays(range(4))
    assert (first.outcome, first.report.created, first.report.failed) == ("succeeded", 4, 0)
    assert await world.counts(first) == (len(stored), 0, 0, 0)
    assert (second.outcome, second.report.unchanged) == ("succeeded", 4)
    assert (await world.counts(second))[0] == 0
    assert [event.users for event in world.told(UsersFound)] == [4, 4]
    assert sum(event.inserted for event in world.told(PlaysStored)) == len(stored)
    assert [event.inserted for event in world.told(PlaysCounted)] == [len(stored), 0]


@pytest.mark.parametrize("seed", range(3))
async def test_recorded_pages_store_exactly_their_plays_in_any_order_and_any_overlap(
    database: Database, spotify: SpotifyWorld, clock: FakeClock, tmp_path: Path, seed: int
) -> None:
    recorded = [item for file in RECORDED for item in recorded_items(file)]
    pages = [recorded_items(file) for file in RECORDED]
    pages += [recorded[start : start + 30] for start in range(0, len(recorded), 17)]
    Random(seed).shuffle(pages)
    # Each page shows all there is, as if nothing was known.
    async with listened(database, tmp_path, spotify, clock, look_back="9000d") as world:
        await world.grant([0])
        for page in [*pages, *pages[::3]]:
            spotify.standin.listeners.hear(0, page)
            assert (await world.run()).outcome == "succeeded"

        spotify.standin.listeners.hear(0, recorded)
        assert await world.plays() == spotify.plays([0])
        assert len(await world.plays()) == 70


async def test_a_play_that_comes_twice_in_a_page_is_stored_once_and_counted_as_repeated(
    world: Listened,
) -> None:
    await world.grant([0])
    world.standin.listeners.silence(0)
    world.standin.listeners.listen(0, times=3)
    world.standin.fault_of(0, "doubled", times=1)

    run = await world.run()

    assert await world.plays() == world.spotify.plays([0])
    assert await world.counts(run) == (3, 3, 0, 0)


async def test_an_item_without_a_track_is_skipped_and_a_local_file_is_stored(
    world: Listened,
) -> None:
    await world.grant([0])
    world.standin.listeners.silence(0)
    for kind in ("null", "local", "no_isrc", "bare"):
        world.standin.listeners.listen(0, kind=kind)
        await world.pass_time(minutes=5)

    run = await world.run()

    assert len(await world.plays()) == 3
    assert await world.plays() == world.spotify.plays([0])
    assert await world.counts(run) == (3, 0, 1, 0)


async def test_nothing_new_is_no_error_whether_it_comes_as_an_empty_page_or_as_no_content(
    world: Listened,
) -> None:
    await world.grant([0])
    world.standin.listeners.silence(0)

    empty = await world.run()
    world.standin.set_no_content(is_empty=True)
    nothing = await world.run()

    assert [empty.outcome, nothing.outcome] == ["succeeded"] * 2
    assert [empty.report.unchanged, nothing.report.unchanged] == [1, 1]


async def test_an_access_token_that_is_refused_in_the_middle_is_renewed_once_and_asked_again_once(
    world: Listened,
) -> None:
    await world.grant(range(3))
    await world.run()
    world.standin.listeners.listen(1)
    world.standin.grants.expire_access()

    run = await world.run()

    assert (run.outcome, run.report.updated, run.report.unchanged) == ("succeeded", 1, 2)
    assert world.standin.counters.renewed == 6
    assert await world.plays() == world.spotify.plays(range(3))


async def test_a_user_whose_new_token_is_refused_too_fails_alone_after_one_more_question(
    world: Listened,
) -> None:
    await world.grant(range(3))
    await world.run()
    asked = world.standin.counters.renewed
    world.standin.fault_of(1, "access_expired")

    run = await world.run()

    assert (run.outcome, run.report.unchanged, run.report.failed) == ("partial", 2, 1)
    assert world.standin.counters.renewed == asked + 1
    assert [event.user_key for event in world.told(PlaysStored) if event.error] == ["u1"]


async def test_a_dry_run_says_what_it_would_store_and_stores_nothing(world: Listened) -> None:
    await world.grant(range(2))
    world.standin.listeners.listen(0, times=2)

    run = await world.run(dry_run=True)

    assert await world.plays() == set()
    expected = len(world.spotify.plays(range(2)))
    assert (await world.counts(run))[0] == expected
    assert await world.fetch("SELECT 1 FROM sync_state WHERE succeeded_at IS NOT NULL") == []


async def test_runs_beside_each_other_store_every_play_once_and_their_counts_add_up(
    world: Listened,
) -> None:
    await world.grant(range(10))
    for index in range(10):
        world.standin.listeners.listen(index, times=4)

    runs = await world.run_beside(RunOptions(), RunOptions(), RunOptions(only=("u3",), full=True))

    stored = await world.plays()
    assert stored == world.spotify.plays(range(10))
    assert [(run.outcome, run.error) for run in runs] == [(Outcome.SUCCEEDED, "")] * 3
    assert sum([(await world.counts(run))[0] for run in runs]) == len(stored)


async def test_a_slow_run_holds_few_users_so_that_the_others_can_be_synced_now(
    database: Database, spotify: SpotifyWorld, clock: FakeClock, tmp_path: Path
) -> None:
    slow = {"rate": "1/2s", "burst": 1}
    held: list[int] = []
    async with listened(database, tmp_path, spotify, clock, platform=slow) as world:
        await world.grant(range(12), has_access=True)

        with world.core.around.bus.subscribed(
            lambda _: held.append(len(world.core.around.in_flight.get("listening", ())))
        ):
            run = await world.run()

        assert (run.report.seen, 0 < max(held) <= 8) == (12, True)


async def test_a_pause_that_spotify_asks_for_holds_over_a_restart(
    world: Listened, database: Database, spotify: SpotifyWorld, clock: FakeClock, tmp_path: Path
) -> None:
    await world.grant(range(3))
    await world.run()
    spotify.standin.fault_of(0, "rate_limited", {"retry_after": 80_000}, times=1)

    run = await world.run()
    await world.core.gates.flush()

    assert (run.outcome, "rate limit" in run.error) == ("partial", True)
    async with listened(database, tmp_path, spotify, clock) as again:
        await again.core.learn()
        before = spotify.standin.counters.requests
        held = await again.run()
        assert (held.outcome, spotify.standin.counters.requests) == ("partial", before)
        await again.pass_time(seconds=80_000)
        assert (await again.run()).outcome == "succeeded"


async def test_the_forecast_says_how_long_so_many_users_take(
    database: Database, spotify: SpotifyWorld, clock: FakeClock, tmp_path: Path
) -> None:
    slow = {"rate": "1/2s", "burst": 1}
    async with listened(database, tmp_path, spotify, clock, platform=slow) as world:
        work = world.core.scheduler.schedules()[0].job.work
        await world.grant(range(10), has_access=True)

        forecast = await work.forecast(world.core.around)
        begun = clock.monotonic()
        await world.run()

        assert forecast is not None
        assert (forecast.items, forecast.seconds) == (10, 20.0)
        assert clock.monotonic() - begun == pytest.approx(forecast.seconds, abs=3)


async def test_a_run_that_is_killed_between_pages_goes_on_and_its_counts_are_true(
    database: Database, spotify: SpotifyWorld, clock: FakeClock, tmp_path: Path
) -> None:
    spotify.standin.fault_of(9, "hang", at=PLAYED)
    async with listened(database, tmp_path, spotify, clock, claim=4) as killed:
        await killed.grant(range(12))
        first = await killed.core.scheduler.trigger(JOB, RunOptions())

        async def is_under_way() -> bool:
            return len(killed.told(PlaysStored)) >= 3

        await clock.run(until(is_under_way, what="some pages to be stored"))
        before = await killed.counts(first)
        await clock.run(killed.core.engine.abort(1))

    spotify.standin.cure()
    await clock.advance(60)
    async with listened(database, tmp_path, spotify, clock, claim=4) as again:
        [left] = await again.core.around.stores.runs.recover()
        await again.lapse()  # it may have been killed while it asked for a token
        run = await again.go_on(left)

        stored = await again.plays()
        assert stored == spotify.plays(range(12))
        assert (run.id, run.outcome, run.report.seen) == (first.id, Outcome.SUCCEEDED, 12)
        assert 0 < before[0] < len(stored)
        assert (await again.counts(run))[0] == len(stored)
