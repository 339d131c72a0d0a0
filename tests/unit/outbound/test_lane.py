from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from syncd.outbound.lane import Lane


def test_a_new_lane_takes_the_largest_question() -> None:
    assert Lane(100).size == 100


def test_trouble_halves_what_was_asked_never_below_one() -> None:
    lane = Lane(100)

    sizes = []
    for asked in (100, 50, 3, 1, 1):
        lane.halve(asked)
        sizes.append(lane.size)

    assert sizes == [50, 25, 1, 1, 1]


def test_late_trouble_of_a_larger_question_does_not_widen_the_lane() -> None:
    lane = Lane(100)
    lane.halve(10)

    lane.halve(100)

    assert lane.size == 5


@given(largest=st.integers(1, 500), answers=st.lists(st.booleans(), max_size=80))
def test_size_stays_between_one_and_the_largest_and_comes_back(
    largest: int, answers: list[bool]
) -> None:
    lane = Lane(largest)

    for is_good in answers:
        if is_good:
            lane.grow()
        else:
            lane.halve(lane.size)
        assert 1 <= lane.size <= largest

    for _ in range(largest):
        lane.grow()
    assert lane.size == largest
