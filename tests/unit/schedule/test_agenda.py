from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from fakes.clock import START, FakeClock

from syncd.schedule.agenda import Agenda, Wake


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def agenda(clock: FakeClock) -> Agenda:
    return Agenda(clock)


def add(agenda: Agenda, job: str, seconds: float) -> None:
    at = START + timedelta(seconds=seconds)
    agenda.add(at, job, Wake.FIRE)


async def test_what_is_due_comes_out_oldest_first_and_ties_by_age(
    agenda: Agenda, clock: FakeClock
) -> None:
    for job, seconds in (("late", 30), ("b", 10), ("a", 10), ("early", 5)):
        add(agenda, job, seconds)
    await clock.advance(10)

    assert [entry.job for entry in agenda.take_due()] == ["early", "b", "a"]
    assert list(agenda.take_due()) == []


async def test_a_sleep_ends_when_the_first_entry_is_due(agenda: Agenda, clock: FakeClock) -> None:
    add(agenda, "sync", 7)
    sleeping = asyncio.ensure_future(agenda.sleep())

    await clock.advance(6.9)
    before = sleeping.done()
    await clock.advance(0.1)

    assert (before, sleeping.done()) == (False, True)


async def test_a_sleep_lasts_a_minute_at_most(agenda: Agenda, clock: FakeClock) -> None:
    add(agenda, "sync", 86_400)
    sleeping = asyncio.ensure_future(agenda.sleep())

    await clock.advance(60)

    assert sleeping.done()


async def test_a_change_ends_a_sleep_and_leaves_no_timer(agenda: Agenda, clock: FakeClock) -> None:
    sleeping = asyncio.ensure_future(agenda.sleep())
    await clock.settle()

    agenda.wake()
    await clock.settle()

    assert sleeping.done()
    assert clock.next_wake is None


async def test_a_change_is_not_slept_through_when_it_came_first(
    agenda: Agenda, clock: FakeClock
) -> None:
    agenda.wake()

    await agenda.sleep()

    assert clock.monotonic() == 0


async def test_ten_thousand_entries_cost_one_timer(agenda: Agenda, clock: FakeClock) -> None:
    for number in range(10_000):
        add(agenda, f"job {number}", 40 + number)
    sleeping = asyncio.ensure_future(agenda.sleep())

    await clock.settle()

    assert clock.next_wake == 40
    sleeping.cancel()
