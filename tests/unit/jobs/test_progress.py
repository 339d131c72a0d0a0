from __future__ import annotations

from collections.abc import Iterator

import pytest
from fakes.clock import FakeClock
from fakes.running import PLAY, Running, context_of, draft

from syncd.jobs.progress import Progress
from syncd.model.address import PostgresAddress
from syncd.model.run import Report, RunOptions
from syncd.store.database import Database
from syncd.store.pool import DatabaseSettings
from syncd.telemetry.events import Event, ItemsCommitted, RunProgressed


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def world(clock: FakeClock) -> Running:
    nowhere = DatabaseSettings(address=PostgresAddress(host="127.0.0.1"))
    return Running(Database(nowhere, clock), clock, "one")


@pytest.fixture
def told() -> list[Event]:
    return []


@pytest.fixture
def progress(world: Running, told: list[Event]) -> Iterator[Progress]:
    with world.bus.subscribed(told.append):
        yield Progress(context_of(world, draft(world.clock)), PLAY, Report(), 100)


def last(told: list[Event]) -> RunProgressed:
    event = told[-1]
    assert isinstance(event, RunProgressed)
    return event


def committed(told: list[Event]) -> list[int]:
    return [event.report.created for event in told if isinstance(event, ItemsCommitted)]


async def test_rate_and_time_left_follow_what_was_done(
    progress: Progress, clock: FakeClock, told: list[Event]
) -> None:
    await clock.advance(2)
    progress.add(Report(created=20), "")

    assert (last(told).done, last(told).rate, last(told).eta_seconds) == (20, 10.0, 8.0)


async def test_a_few_times_a_second_are_enough(
    progress: Progress, clock: FakeClock, told: list[Event]
) -> None:
    for _ in range(50):
        progress.add(Report(created=1), "")
        progress.wait("the platform")
        await clock.advance(0.01)

    assert len([event for event in told if isinstance(event, RunProgressed)]) <= 3


async def test_every_stored_batch_is_told(
    world: Running, progress: Progress, told: list[Event]
) -> None:
    for count in (1, 2, 3):
        progress.add(Report(created=count), "")

    assert committed(told) == [1, 2, 3]


async def test_a_dry_run_stores_nothing_and_tells_no_batch(
    world: Running, clock: FakeClock, told: list[Event]
) -> None:
    context = context_of(world, draft(clock, RunOptions(dry_run=True)))
    with world.bus.subscribed(told.append):
        Progress(context, PLAY, Report(), 100).add(Report(created=1), "")

    assert (committed(told), last(told).done) == ([], 1)


async def test_the_end_is_told_at_once(progress: Progress, told: list[Event]) -> None:
    progress.add(Report(created=99), "")
    progress.add(Report(created=1), "")

    assert last(told).done == 100


def test_before_anything_is_done_nothing_is_forecast(progress: Progress, told: list[Event]) -> None:
    progress.tell("github: next retry in 2.0 s")

    assert (last(told).eta_seconds, last(told).waits_for) == (None, "github: next retry in 2.0 s")


async def test_a_run_that_is_gone_on_with_counts_from_where_it_was(
    world: Running, clock: FakeClock, told: list[Event]
) -> None:
    context = context_of(world, draft(clock))
    with world.bus.subscribed(told.append):
        progress = Progress(context, PLAY, Report(created=60), 40)
        await clock.advance(1)
        progress.add(Report(created=10), "")

    assert (last(told).done, last(told).total, last(told).rate) == (70, 100, 10.0)
