from __future__ import annotations

from datetime import timedelta

from fakes.clock import FakeClock

from syncd.outbound.rests import Rests

MINUTE = timedelta(minutes=1)


async def test_a_rest_ends_by_itself_and_reaches_one_name_only() -> None:
    clock = FakeClock()
    rests = Rests(clock)
    rests.begin("one", MINUTE)
    await clock.advance(20)

    assert rests.left("one") == timedelta(seconds=40)
    assert rests.left("another") is None

    await clock.advance(40)
    assert rests.left("one") is None


def test_a_shorter_rest_does_not_end_a_longer_one() -> None:
    rests = Rests(FakeClock())
    rests.begin("one", MINUTE)
    rests.begin("one", timedelta(seconds=1))

    assert rests.left("one") == MINUTE


async def test_rests_that_are_over_are_forgotten() -> None:
    clock = FakeClock()
    rests = Rests(clock)
    for number in range(10_000):
        rests.begin(str(number), MINUTE)
    await clock.advance(61)

    rests.begin("one", MINUTE)

    assert rests.left("one") == MINUTE
    assert rests.left("1") is None
