from __future__ import annotations

from fakes.clock import FakeClock

from syncd.sandbox.limits import Budget, Limits, Refusal, Window


def test_window_counts_what_came_in_its_last_seconds() -> None:
    window = Window(60)

    counts = [window.add(now) for now in (0.0, 30.0, 59.9, 60.0, 90.1, 500.0)]

    assert counts == [1, 2, 3, 3, 3, 1]


def test_scaling_widens_counts_and_leaves_windows_alone() -> None:
    scaled = Limits().scaled(100)

    assert (scaled.primary, scaled.anonymous) == (500_000, 6_000)
    assert (scaled.points_per_minute, scaled.concurrent) == (90_000, 10_000)
    assert (scaled.window_seconds, scaled.penalty_seconds) == (3_600, 60)


async def test_primary_window_begins_with_the_first_request_and_ends_at_its_reset() -> None:
    clock = FakeClock()
    await clock.advance(100)
    budget = Budget(Limits(), 5_000, clock)
    budget.arrive()
    budget.charge()

    await clock.advance(3_599)
    budget.renew()
    used_before = budget.used
    await clock.advance(1)
    budget.renew()

    assert used_before == 1
    assert budget.used == 0
    assert budget.reset_at == int(clock.now().timestamp()) + 3_600


async def test_901st_request_of_a_minute_is_refused_until_the_penalty_is_over() -> None:
    clock = FakeClock()
    budget = Budget(Limits(), 5_000, clock)
    accepted = [budget.arrive() for _ in range(900)]

    first = budget.arrive()
    await clock.advance(59)
    during = budget.arrive()
    await clock.advance(1)
    after = budget.arrive()

    assert set(accepted) == {None}
    assert (first, during, after) == (Refusal.SECONDARY, Refusal.SECONDARY, None)


def test_more_in_flight_than_allowed_is_refused() -> None:
    budget = Budget(Limits(concurrent=2), 5_000, FakeClock())
    budget.in_flight = 3

    refusal = budget.arrive()

    assert refusal is Refusal.SECONDARY
