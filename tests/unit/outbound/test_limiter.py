from __future__ import annotations

import asyncio
import itertools
from bisect import bisect_left

import pytest
from fakes.clock import FakeClock
from hypothesis import given, settings
from hypothesis import strategies as st

from syncd.outbound.gate import Gate
from syncd.outbound.limiter import CATCH_UP_SECONDS, TokenBucket
from syncd.outbound.limits import Limits
from syncd.outbound.urgency import Urgency, current_urgency
from syncd.telemetry.bus import Bus

MANUAL, SCHEDULED = Urgency.MANUAL, Urgency.SCHEDULED


class LateClock(FakeClock):
    """A clock whose sleeps end late, as a real event loop's timers do."""

    async def sleep(self, seconds: float) -> None:
        await super().sleep(max(seconds, 0.001) + 0.0004)


class Crowd:
    """Requests that come to a gate; who has left, and when, in that order."""

    def __init__(self, clock: FakeClock, rate: float, burst: int = 1, slots: int = 1_000) -> None:
        limits = Limits(rate=rate, burst=burst, slots=slots)
        self.gate = Gate("github", "main", limits, clock=clock, bus=Bus())
        self.clock = clock
        self.left: list[int] = []
        self.times: list[float] = []

    async def come(self, number: int, urgency: Urgency = SCHEDULED, seconds: float = 0) -> None:
        current_urgency.set(urgency)
        async with self.gate.passage():
            self.left.append(number)
            self.times.append(self.clock.monotonic())
            if seconds:
                await self.clock.sleep(seconds)

    async def come_together(self, count: int) -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(count):
                group.create_task(self.come(number))


def most_within(times: list[float], seconds: float) -> int:
    return max(bisect_left(times, at + seconds - 1e-6) - i for i, at in enumerate(times))


@pytest.mark.parametrize(("rate", "waiters"), [(50, 200), (1_000, 1_000), (5_000, 10_000)])
async def test_late_timers_neither_waste_the_rate_nor_exceed_it(rate: int, waiters: int) -> None:
    crowd = Crowd(LateClock(), rate)

    await crowd.clock.run(crowd.come_together(waiters))

    assert waiters / (crowd.times[-1] + 1 / rate) >= 0.99 * rate
    assert most_within(crowd.times, 1.0) <= 1.02 * rate + 1
    assert crowd.left == list(range(waiters))


@pytest.mark.parametrize("rate", [50, 5_000])
async def test_a_thousand_lanes_that_come_back_at_once_are_served_in_turn_at_the_rate(
    rate: int,
) -> None:
    crowd = Crowd(LateClock(), rate)

    async def lane(number: int) -> None:
        while crowd.clock.monotonic() < 4:
            await asyncio.sleep(0)  # nobody is back before the others have come
            await crowd.come(number)

    async def lanes() -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(1_000):
                group.create_task(lane(number))

    await crowd.clock.run(lanes())

    within = [at for at in crowd.times if at < 4]
    served = [crowd.left.count(number) for number in range(1_000)]
    assert len(within) >= 0.99 * rate * 4
    assert most_within(crowd.times, 1.0) <= 1.02 * rate + 1
    assert crowd.left[:1_000] == list(range(1_000))
    assert max(served) - min(served) <= 1


async def test_a_burst_goes_at_once_and_the_rate_afterwards(clock: FakeClock) -> None:
    crowd = Crowd(clock, rate=1, burst=5)

    await clock.run(crowd.come_together(8))

    assert crowd.times == pytest.approx([0, 0, 0, 0, 0, 1, 2, 3])


async def test_a_long_rest_saves_up_no_more_than_the_burst(clock: FakeClock) -> None:
    crowd = Crowd(clock, rate=1, burst=3)
    await clock.advance(1_000)

    await clock.run(crowd.come_together(5))

    assert [at - 1_000 for at in crowd.times] == pytest.approx([0, 0, 0, 1, 2])


async def test_cancelling_half_of_the_queue_costs_the_others_nothing(clock: FakeClock) -> None:
    crowd = Crowd(clock, rate=10)
    tasks = [asyncio.create_task(crowd.come(number)) for number in range(100)]
    await clock.settle()

    for task in tasks[2::2]:
        task.cancel()
    await clock.advance(5)

    assert crowd.left == [0, *range(1, 100, 2)]
    assert crowd.times[-1] <= 50 / 10


async def test_a_cancelled_head_hands_the_line_to_the_next(clock: FakeClock) -> None:
    crowd = Crowd(clock, rate=1)
    await crowd.come(0)
    head = asyncio.create_task(crowd.come(1))
    next_one = asyncio.create_task(crowd.come(2))
    await clock.settle()

    head.cancel()
    await clock.advance(1)

    assert next_one.done()


async def test_what_a_person_asked_for_goes_before_all_that_is_scheduled(clock: FakeClock) -> None:
    crowd = Crowd(clock, rate=1)
    scheduled = [asyncio.create_task(crowd.come(number)) for number in range(5)]
    await clock.advance(0.5)
    manual = [asyncio.create_task(crowd.come(number, MANUAL)) for number in (10, 11, 12)]

    await clock.advance(8)

    assert crowd.left == [0, 10, 11, 12, 1, 2, 3, 4]
    assert crowd.times == pytest.approx(range(8), abs=0.021)
    assert all(task.done() for task in [*scheduled, *manual])


async def test_a_slot_that_becomes_free_is_a_persons_also_between_two_of_them(
    clock: FakeClock,
) -> None:
    crowd = Crowd(clock, rate=1_000, burst=100, slots=1)
    tasks = [asyncio.create_task(crowd.come(number, seconds=1)) for number in range(3)]
    await clock.settle()
    tasks += [asyncio.create_task(crowd.come(number, MANUAL, 1)) for number in (10, 11, 12)]

    await clock.advance(6)

    assert crowd.left == [0, 10, 11, 12, 1, 2]


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


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_cancelling_anyone_at_any_time_loses_no_permit_and_blocks_nobody(
    data: st.DataObject,
) -> None:
    urgencies = data.draw(st.lists(st.sampled_from(Urgency), min_size=20, max_size=20))
    gone = data.draw(st.sets(st.integers(0, 19)))
    at = data.draw(st.floats(0, 3))

    async def story() -> None:
        clock = FakeClock()
        crowd = Crowd(clock, rate=10)
        tasks = [
            asyncio.create_task(crowd.come(number, urgency))
            for number, urgency in enumerate(urgencies)
        ]
        await clock.advance(at)
        alive = [number for number in range(20) if number not in gone or tasks[number].done()]
        for number in gone:
            tasks[number].cancel()
        await clock.advance(len(alive) / 10)
        assert sorted(crowd.left) == alive
        assert (crowd.gate.in_flight, crowd.gate.waiting) == (0, 0)
        for urgency in Urgency:
            of_one_line = [number for number in crowd.left if urgencies[number] is urgency]
            assert of_one_line == sorted(of_one_line)

    asyncio.run(story())


Arrivals = st.lists(
    st.tuples(st.floats(0, 2), st.sampled_from(Urgency), st.floats(0, 0.5)),
    min_size=1,
    max_size=60,
)


@settings(max_examples=60, deadline=None)
@given(arrivals=Arrivals, rate=st.sampled_from([10, 50, 5_000]), slots=st.integers(1, 5))
def test_nobody_overtakes_within_a_line_and_no_schedule_overtakes_a_person(
    arrivals: list[tuple[float, Urgency, float]], rate: int, slots: int
) -> None:
    async def story() -> None:
        clock = FakeClock()
        crowd = Crowd(clock, rate, slots=slots)

        async def send(number: int, urgency: Urgency, seconds: float) -> None:
            await crowd.come(number, urgency, seconds)

        async def send_all() -> None:
            async with asyncio.TaskGroup() as group:
                for number, (at, urgency, seconds) in enumerate(arrivals):
                    await clock.sleep(at - clock.monotonic())
                    group.create_task(send(number, urgency, seconds))

        arrivals.sort()
        await clock.run(send_all())
        left_at = dict(zip(crowd.left, crowd.times, strict=True))
        assert len(left_at) == len(arrivals)
        assert most_within(crowd.times, 1.0) <= 1.02 * rate + 1
        for (first, one), (second, other) in itertools.combinations(enumerate(arrivals), 2):
            if one[1] <= other[1]:
                assert left_at[first] <= left_at[second]
                assert crowd.left.index(first) < crowd.left.index(second)

    asyncio.run(story())


def test_a_burst_that_was_taken_at_a_slow_rate_is_paid_for_at_the_new_one() -> None:
    bucket = TokenBucket(rate=1 / 60, burst=5)
    for _ in range(5):
        assert bucket.take(100.0)

    bucket.adopt(10, 5, 100.0)

    assert bucket.delay(100.0) == pytest.approx(0.1)


def test_a_burst_that_was_taken_at_a_fast_rate_leaves_nothing_over_at_the_new_one() -> None:
    bucket = TokenBucket(rate=10, burst=5)
    for _ in range(5):
        assert bucket.take(100.0)

    bucket.adopt(1, 1, 100.0)

    assert bucket.delay(100.0) >= 1
