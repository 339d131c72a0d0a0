"""When refusals say something about the platform rather than about users."""

from __future__ import annotations

import pytest
from fakes.clock import FakeClock

from syncd.jobs.refusals import Refusals


@pytest.mark.parametrize(
    ("good", "refused", "is_storm"),
    [
        *((0, 0, False), (0, 1, False), (0, 2, True), (1, 2, False), (1, 8, False)),
        *((8, 2, False), (5, 5, False), (4, 6, True), (50, 50, False), (49, 51, True)),
    ],
)
def test_more_than_half_of_ten_is_a_storm_and_everybody_of_fewer(
    good: int, refused: int, is_storm: bool
) -> None:
    refusals = Refusals(FakeClock())
    for is_refused in [False] * good + [True] * refused:
        refusals.note(is_refused=is_refused)

    assert refusals.is_storm(good + refused) is is_storm
    assert refusals.counts() == (refused, good + refused)


@pytest.mark.parametrize(
    ("good", "refused", "explained", "is_storm"),
    [
        *((0, 0, 4, False), (0, 0, 5, False), (0, 0, 6, True), (0, 1, 4, False), (0, 2, 4, True)),
        *((12, 0, 4, False), (12, 0, 16, False), (12, 0, 17, True)),
    ],
)
def test_as_many_as_a_crash_may_have_cost_are_no_storm(
    good: int, refused: int, explained: int, is_storm: bool
) -> None:
    refusals = Refusals(FakeClock(), 4)
    for is_refused in [False] * good + [True] * refused:
        refusals.note(is_refused=is_refused)
    for _ in range(explained):
        refusals.note(is_refused=True, is_explained=True)

    assert refusals.is_storm(2) is is_storm


async def test_what_was_ten_minutes_ago_counts_no_more() -> None:
    clock = FakeClock()
    refusals = Refusals(clock)
    refusals.note(is_refused=True)
    await clock.advance(601)
    refusals.note(is_refused=True)

    assert not refusals.is_storm(2)


def test_refused_first_of_several_is_no_storm() -> None:
    refusals = Refusals(FakeClock())
    for _ in range(2):
        refusals.note(is_refused=True)

    assert refusals.is_storm(2)
    assert not refusals.is_storm(5)


@pytest.mark.parametrize(
    ("good", "refused", "is_unrest"), [(8, 2, False), (7, 3, True), (1, 8, False), (79, 21, True)]
)
def test_more_than_a_fifth_of_ten_is_unrest(good: int, refused: int, is_unrest: bool) -> None:
    refusals = Refusals(FakeClock())
    for is_refused in [False] * good + [True] * refused:
        refusals.note(is_refused=is_refused)

    assert refusals.is_unrest is is_unrest
