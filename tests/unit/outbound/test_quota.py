from __future__ import annotations

import random
from bisect import bisect_left

import pytest
from fakes.clock import FakeClock
from hypothesis import given
from hypothesis import strategies as st

from syncd.outbound.quota import Quota, QuotaReport


def report(remaining: int, resets_in_seconds: float) -> QuotaReport:
    return QuotaReport(remaining=remaining, resets_in_seconds=resets_in_seconds)


@given(seed=st.integers(0, 2**32), limit=st.integers(1, 30), free_share=st.floats(0, 0.5))
def test_no_window_of_the_server_ever_holds_more_than_the_limit(
    seed: int, limit: int, free_share: float
) -> None:
    chance, clock = random.Random(seed), FakeClock()
    quota = Quota(limit, 60, clock)
    in_flight: list[tuple[float, bool]] = []  # when it will be answered, and whether it is free
    arrivals: list[float] = []

    for _ in range(400):
        clock._elapsed += chance.expovariate(1.0)
        for ends_at, is_free in sorted(in_flight):
            if ends_at <= clock.monotonic():
                in_flight.remove((ends_at, is_free))
                if not is_free:
                    quota.spend()
        if len(in_flight) < quota.left():
            latency = chance.choice([0.05, 20.0]) * chance.random()
            is_free = chance.random() < free_share
            in_flight.append((clock.monotonic() + latency, is_free))
            if not is_free:
                arrivals.append(clock.monotonic() + chance.random() * latency)

    arrivals.sort()
    assert all(bisect_left(arrivals, at + 60) - first <= limit for first, at in enumerate(arrivals))


async def test_a_used_up_quota_comes_back_a_window_after_the_first_answer(
    clock: FakeClock,
) -> None:
    quota = Quota(3, 3_600, clock)
    for _ in range(3):
        quota.spend()
        await clock.advance(100)

    wait = quota.wait_seconds()
    await clock.advance(wait)

    assert 3_300 <= wait <= 3_310
    assert quota.left() == 1


def test_a_whole_hour_of_requests_costs_a_thousand_grains_of_memory_at_most(
    clock: FakeClock,
) -> None:
    quota = Quota(500_000, 3_600, clock)

    for _ in range(50_000):
        clock._elapsed += 0.07
        quota.spend()

    assert quota.left() == 450_000
    assert len(quota._spent) <= 1_001


def test_the_server_is_believed_where_it_is_lower(clock: FakeClock) -> None:
    quota = Quota(5_000, 3_600, clock)

    quota.note(report(remaining=7, resets_in_seconds=600))

    assert quota.left() == 7


def test_the_server_is_not_believed_where_it_is_higher(clock: FakeClock) -> None:
    quota = Quota(5, 3_600, clock)

    quota.note(report(remaining=15_000, resets_in_seconds=600))

    assert quota.left() == 5


def test_an_answer_overtaken_by_a_later_one_does_not_raise_what_is_left(clock: FakeClock) -> None:
    quota = Quota(5_000, 3_600, clock)

    quota.note(report(remaining=10, resets_in_seconds=600))
    quota.note(report(remaining=11, resets_in_seconds=601))

    assert quota.left() == 10


def test_a_new_window_of_the_server_replaces_the_old_word(clock: FakeClock) -> None:
    quota = Quota(5_000, 3_600, clock)
    quota.note(report(remaining=0, resets_in_seconds=10))

    quota.note(report(remaining=4_999, resets_in_seconds=3_600))

    assert quota.left() == 4_999


def test_a_late_answer_of_the_old_window_says_nothing_about_the_new_one(clock: FakeClock) -> None:
    quota = Quota(5_000, 3_600, clock)
    quota.note(report(remaining=4_999, resets_in_seconds=3_600))

    quota.note(report(remaining=0, resets_in_seconds=2))

    assert quota.left() == 4_999


async def test_remaining_zero_holds_until_just_after_the_reset(clock: FakeClock) -> None:
    quota = Quota(5_000, 3_600, clock)
    quota.note(report(remaining=0, resets_in_seconds=600))

    wait = quota.wait_seconds()
    await clock.advance(wait)

    assert wait == pytest.approx(601)
    assert quota.left() == 5_000


@pytest.mark.parametrize("seconds", [-3_600.0, 0.0])
def test_a_reset_in_the_past_says_nothing(clock: FakeClock, seconds: float) -> None:
    quota = Quota(5_000, 3_600, clock)

    quota.note(report(remaining=0, resets_in_seconds=seconds))

    assert quota.left() == 5_000


def test_an_absurd_reset_lasts_one_window_at_most(clock: FakeClock) -> None:
    quota = Quota(5_000, 3_600, clock)

    quota.note(report(remaining=0, resets_in_seconds=1e9))

    assert quota.wait_seconds() <= 3_601


def test_without_a_limit_of_our_own_the_server_alone_decides(clock: FakeClock) -> None:
    quota = Quota(None, 3_600, clock)
    for _ in range(10_000):
        quota.spend()

    before = quota.left()
    quota.note(report(remaining=3, resets_in_seconds=60))

    assert (before, quota.left()) == (float("inf"), 3)


async def test_a_shorter_window_forgets_what_was_spent_before_it_began(clock: FakeClock) -> None:
    quota = Quota(1_000, 86_400, clock)
    for _ in range(50):
        quota.spend()
    await clock.advance(2 * 3_600)

    quota.adopt(20, 3_600, 0.0)
    before = quota.left()
    for _ in range(20):
        quota.spend()

    assert before == 20
    assert quota.wait_seconds() == pytest.approx(3_600, rel=0.01)


async def test_a_longer_window_counts_what_was_spent_until_it_ends(clock: FakeClock) -> None:
    quota = Quota(20, 3_600, clock)
    for _ in range(20):
        quota.spend()

    quota.adopt(30, 86_400, 0.0)
    await clock.advance(2 * 3_600)

    assert quota.left() == 10
