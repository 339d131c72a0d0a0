"""The made-up users of coding platforms: their fates there, and what they must score."""

from __future__ import annotations

from itertools import combinations

import pytest

from syncd.daemon.coders import Coders
from syncd.daemon.fates import Fates
from syncd.model.score import Scale

SIX = ("atcoder", "codechef", "codeforces", "geeksforgeeks", "hackerrank", "leetcode")
PARAMETERS = {name: Scale(rating_from=0, rating_to=4000, solved_full=1000) for name in SIX}


@pytest.mark.parametrize("size", [1, 4, 5, 100])
def test_every_coder_is_expected_once_on_each_platform_in_each_pass(size: int) -> None:
    coders = Coders(size, seed=1, scale=1)

    passes = coders.happen_before_first(), coders.happen_before_second()

    assert tuple(coders.standins) == SIX
    assert [{name: each.seen for name, each in told.items()} for told in passes] == [
        dict.fromkeys(SIX, size),
        dict.fromkeys(SIX, size),
    ]


def test_who_takes_another_handle_is_lost_only_where_the_platform_does_not_lead_on() -> None:
    coders = Coders(100, seed=1, scale=1)

    first, second = coders.happen_before_first(), coders.happen_before_second()

    lost = {name: (first[name].failed, second[name].failed) for name in SIX}
    leads_on = set(SIX) - {"leetcode", "atcoder"}
    assert lost == {name: (2, 4) if name in leads_on else (4, 8) for name in SIX}
    assert {name: second[name].updated for name in SIX} == {
        name: 7 if name in leads_on else 5 for name in SIX
    }


def test_nobody_has_two_fates() -> None:
    fates = Fates.draw(range(12), 1, few=5, changing=50)

    groups = (fates.lost, fates.moved, fates.changing, fates.renaming, fates.vanishing)
    assert {len(group) for group in groups} == {2}
    assert all(set(one).isdisjoint(other) for one, other in combinations(groups, 2))
    assert fates.touched() == {index for group in groups for index in group}


def test_scores_are_made_of_what_each_platform_told_last() -> None:
    coders = Coders(100, seed=1, scale=1)

    coders.happen_before_first()
    first = coders.totals(PARAMETERS)
    coders.happen_before_second()
    second = coders.totals(PARAMETERS)

    assert first.keys() == second.keys() == set(range(100))
    assert first[coders.example] == second[coders.example]
    assert first != second


def test_platform_that_does_not_count_gives_no_score() -> None:
    coders = Coders(3, seed=1, scale=1)
    coders.happen_before_first()

    assert coders.totals({}) == {}


def test_example_is_rated_and_some_others_are_not() -> None:
    coders = Coders(100, seed=1, scale=1)

    assert 0 < len(coders.unrated) < 50
    assert coders.example not in coders.unrated
