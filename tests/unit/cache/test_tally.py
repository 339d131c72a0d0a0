from __future__ import annotations

from syncd.cache.tally import Tally


def test_the_largest_board_is_walked_through_first() -> None:
    assert Tally(3).next_walk([5, 9, 7]) == 1


def test_boards_of_which_a_walk_showed_all_are_not_walked_through() -> None:
    tally = Tally(3)
    tally.next_walk([5, 9, 7])

    tally.add((2, 4, 3))
    tally.add((3, 5, 4))

    assert tally.next_walk([5, 9, 7]) is None


def test_a_board_that_was_not_shown_whole_is_walked_through_as_well() -> None:
    tally = Tally(3)
    tally.next_walk([5, 9, 7])

    tally.add((5, 9, 6))

    assert tally.next_walk([5, 9, 7]) == 2


def test_a_later_walk_may_show_all_of_the_boards_that_are_left() -> None:
    tally = Tally(3)
    tally.next_walk([5, 9, 7])
    tally.add((4, 9, 6))
    tally.next_walk([5, 9, 7])

    tally.add((5, 7, 7))

    assert tally.next_walk([5, 9, 7]) is None


def test_empty_boards_need_no_walk() -> None:
    assert Tally(2).next_walk([0, 0]) is None
    assert Tally(0).next_walk([]) is None


def test_a_board_that_vanished_meanwhile_needs_no_walk() -> None:
    tally = Tally(2)
    tally.next_walk([5, 9])
    tally.add((3, 9))

    assert tally.next_walk([0, 9]) is None


def test_counts_of_all_pages_add_up_to_the_most_that_one_walk_saw() -> None:
    tally = Tally(2)
    tally.next_walk([4, 9])
    first = [tally.add((2, 5)), tally.add((1, 4))]
    tally.next_walk([4, 9])

    second = [tally.add((2, 2)), tally.add((2, 1))]

    assert [sum(column) for column in zip(*first, *second, strict=True)] == [4, 9]
