from __future__ import annotations

from random import Random

from syncd.outbound.retry import RetryBudget, RetryPolicy


def test_backoff_is_spread_over_the_whole_of_a_ceiling_that_doubles() -> None:
    policy = RetryPolicy(first_seconds=1, longest_seconds=5)
    random = Random(1)

    longest = [max(policy.delay_seconds(n, random) for _ in range(2_000)) for n in range(1, 6)]
    shortest = min(policy.delay_seconds(5, random) for _ in range(2_000))

    assert [round(seconds) for seconds in longest] == [1, 2, 4, 5, 5]
    assert shortest < 0.05


def test_a_late_attempt_does_not_overflow() -> None:
    assert RetryPolicy().delay_seconds(10_000, Random(1)) <= 30


def test_an_outage_is_met_with_at_most_one_retry_per_request_and_the_reserve() -> None:
    budget = RetryBudget(reserve=10)
    retries = 0

    for _ in range(1_000):
        budget.earn()
        for _ in range(3):
            retries += budget.spend()

    assert 1_000 <= retries <= 1_010


def test_a_long_calm_saves_up_no_more_than_the_reserve() -> None:
    budget = RetryBudget(reserve=10)
    for _ in range(1_000):
        budget.earn()

    retries = sum(budget.spend() for _ in range(100))

    assert retries == 10
