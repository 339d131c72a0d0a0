from __future__ import annotations

import pytest
from fakes.clock import FakeClock

from syncd.web.allowance import Allowance


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def test_burst_is_used_up_and_then_refilled(clock: FakeClock) -> None:
    allowance = Allowance(clock, per_minute=1, burst=3)

    waits = [allowance.take("job") for _ in range(4)]

    assert waits == [0, 0, 0, 60]


async def test_one_minute_brings_one_back(clock: FakeClock) -> None:
    allowance = Allowance(clock, per_minute=1, burst=1)
    allowance.take("job")
    await clock.advance(60)

    waits = [allowance.take("job"), allowance.take("job")]

    assert waits == [0, 60]


async def test_refill_stops_at_the_burst(clock: FakeClock) -> None:
    allowance = Allowance(clock, per_minute=1, burst=2)
    allowance.take("job")
    await clock.advance(86_400)

    waits = [allowance.take("job") for _ in range(3)]

    assert waits == [0, 0, 60]


def test_call_that_came_to_nothing_is_given_back(clock: FakeClock) -> None:
    allowance = Allowance(clock, burst=1)
    allowance.take("job")

    allowance.give_back("job")

    assert allowance.take("job") == 0


def test_keys_do_not_share(clock: FakeClock) -> None:
    allowance = Allowance(clock, burst=1)
    allowance.take("one")

    assert allowance.take("other") == 0


def test_memory_is_bounded_by_forgetting_the_oldest(clock: FakeClock) -> None:
    allowance = Allowance(clock, burst=1, keys=2)
    for key in ("first", "second", "third"):
        allowance.take(key)

    assert allowance.take("third") > 0
    assert allowance.take("first") == 0
