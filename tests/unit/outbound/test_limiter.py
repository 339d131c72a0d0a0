from __future__ import annotations

import asyncio
from bisect import bisect_left

import pytest
from fakes.clock import FakeClock
from hypothesis import given
from hypothesis import strategies as st

from syncd.outbound.gate import Gate, Limits
from syncd.outbound.limiter import CATCH_UP_SECONDS, TokenBucket
from syncd.telemetry.bus import Bus


class LateClock(FakeClock):
    """A clock whose sleeps end late, as a real event loop's timers do."""

    async def sleep(self, seconds: float) -> None:
        await super().sleep(max(seconds, 0.001) + 0.0004)


async def grants_of(clock: FakeClock, bucket: TokenBucket, waiters: int) -> list[tuple[int, float]]:
    """Who got a permit and when, in the order of granting."""
    grants: list[tuple[int, float]] = []

    async def wait(number: int) -> None:
        await bucket.take()
        grants.append((number, clock.monotonic()))

    async def all_of_them() -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(waiters):
                group.create_task(wait(number))

    await clock.run(all_of_them())
    return grants


def most_within(times: list[float], seconds: float) -> int:
    return max(bisect_left(times, at + seconds - 1e-6) - i for i, at in enumerate(times))


@pytest.mark.parametrize(("rate", "waiters"), [(50, 200), (1_000, 1_000), (5_000, 10_000)])
async def test_late_timers_neither_waste_the_rate_nor_exceed_it(rate: int, waiters: int) -> None:
    clock = LateClock()
    bucket = TokenBucket(rate, 1, clock)

    times = [at for _, at in await grants_of(clock, bucket, waiters)]

    assert waiters / (times[-1] + 1 / rate) >= 0.99 * rate
    assert most_within(times, 1.0) <= 1.02 * rate + 1


async def test_a_thousand_waiters_are_served_in_the_order_they_came(clock: FakeClock) -> None:
    bucket = TokenBucket(700, 5, clock)

    grants = await grants_of(clock, bucket, 1_000)

    assert [number for number, _ in grants] == list(range(1_000))


async def test_a_burst_goes_at_once_and_the_rate_afterwards(clock: FakeClock) -> None:
    bucket = TokenBucket(1, 5, clock)

    times = [at for _, at in await grants_of(clock, bucket, 8)]

    assert times == pytest.approx([0, 0, 0, 0, 0, 1, 2, 3])


async def test_a_long_rest_saves_up_no_more_than_the_burst(clock: FakeClock) -> None:
    bucket = TokenBucket(1, 3, clock)
    await clock.advance(1_000)

    times = [at - 1_000 for _, at in await grants_of(clock, bucket, 5)]

    assert times == pytest.approx([0, 0, 0, 1, 2])


async def test_cancelling_half_of_the_queue_costs_the_others_nothing(clock: FakeClock) -> None:
    bucket = TokenBucket(10, 1, clock)
    served: list[tuple[int, float]] = []

    async def wait(number: int) -> None:
        await bucket.take()
        served.append((number, clock.monotonic()))

    tasks = [asyncio.create_task(wait(number)) for number in range(100)]
    await clock.settle()
    for task in tasks[2::2]:
        task.cancel()
    await clock.advance(5)

    assert [number for number, _ in served] == [0, *range(1, 100, 2)]
    assert served[-1][1] <= 50 / 10


async def test_a_permit_granted_to_someone_cancelled_in_the_same_step_goes_to_the_next(
    clock: FakeClock,
) -> None:
    bucket = TokenBucket(1, 2, clock)
    served: list[int] = []
    tasks: list[asyncio.Task[None]] = []

    async def wait(number: int) -> None:
        await bucket.take()
        served.append(number)
        if number == 2:
            tasks[3].cancel()

    tasks.extend(asyncio.create_task(wait(number)) for number in range(6))
    await clock.settle()
    # The leader oversleeps: waiters 2 and 3 are granted in one step, and 2 cancels 3.
    clock._elapsed += 2
    await clock.advance(0)
    served_at_once = list(served)
    for task in tasks:
        task.cancel()

    assert served_at_once == [0, 1, 2, 4]


async def test_a_cancelled_leader_hands_the_queue_to_the_next(clock: FakeClock) -> None:
    bucket = TokenBucket(1, 1, clock)
    await bucket.take()
    leader = asyncio.create_task(bucket.take())
    next_one = asyncio.create_task(bucket.take())
    await clock.settle()

    leader.cancel()
    await clock.advance(1)

    assert next_one.done()


@given(
    rate=st.floats(0.01, 1e5),
    burst=st.integers(1, 50),
    gaps=st.lists(st.floats(0, 3), min_size=1, max_size=200),
)
def test_no_window_ever_holds_more_than_rate_and_burst_allow(
    rate: float, burst: int, gaps: list[float]
) -> None:
    bucket = TokenBucket(rate, burst)
    now, taken = 0.0, []

    for gap in gaps:
        now += gap / rate
        if bucket.take(now):
            taken.append(now)

    tolerance = max((burst - 1) / rate, CATCH_UP_SECONDS)
    for first in range(len(taken)):
        for last in range(first, len(taken)):
            allowed = rate * (taken[last] - taken[first] + tolerance) + 1
            assert last - first + 1 <= allowed + 1e-3


@given(rate=st.floats(0.01, 1e4), burst=st.integers(1, 20), asks=st.integers(1, 100))
def test_a_permit_is_due_after_exactly_the_delay_that_was_told(
    rate: float, burst: int, asks: int
) -> None:
    bucket = TokenBucket(rate, burst)
    now = 0.0

    for _ in range(asks):
        now += bucket.delay(now)
        assert bucket.take(now)


@given(st.data())
def test_cancelling_anyone_at_any_time_loses_no_permit_and_blocks_nobody(
    data: st.DataObject,
) -> None:
    gone = data.draw(st.sets(st.integers(0, 19)))
    at = data.draw(st.floats(0, 3))

    async def story() -> list[int]:
        clock = FakeClock()
        bucket = TokenBucket(10, 1, clock)
        served: list[int] = []

        async def wait(number: int) -> None:
            await bucket.take()
            served.append(number)

        tasks = [asyncio.create_task(wait(number)) for number in range(20)]
        await clock.advance(at)
        alive = [number for number in range(20) if number not in gone or tasks[number].done()]
        for number in gone:
            tasks[number].cancel()
        await clock.advance(len(alive) / 10)
        assert served == alive
        return served

    asyncio.run(story())
