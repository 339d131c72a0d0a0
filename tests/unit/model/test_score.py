from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.config.score import SCORE_DEFAULTS
from syncd.model.score import (
    Numbers,
    Part,
    Reason,
    Scale,
    score_part,
    tenths,
    total,
    version_of,
)

SCALES = {name: Scale(**dict(settings)) for name, settings in SCORE_DEFAULTS.items()}
AT = datetime(2026, 3, 1, tzinfo=UTC)
LEETCODE = {"easy": 141, "medium": 189, "hard": 17}


def numbers(**known: Any) -> Numbers:
    return Numbers(**{"rating": None, "solved": None, "solved_by": None, "as_of": AT, **known})


def part_of(platform: str, **known: Any) -> Part:
    part = score_part(SCALES[platform], numbers(**known))
    assert part is not None
    return part


# The worked values of recorded answers.
@pytest.mark.parametrize(
    ("platform", "known", "skill", "volume", "score"),
    [
        ("codeforces", {"rating": 1622}, 224.2, 0.0, 224.2),
        ("codeforces", {"rating": 3301}, 600.0, 0.0, 600.0),
        ("codeforces", {"rating": 376}, 0.0, 0.0, 0.0),
        (
            "leetcode",
            {"rating": 1424.607, "solved": 347, "solved_by": LEETCODE},
            *(10.5, 307.5, 318.1),
        ),
        ("codechef", {"rating": 1362}, 144.8, 0.0, 144.8),
        ("atcoder", {"rating": 2733, "solved": 722}, 585.6, 346.4, 932.1),
        ("geeksforgeeks", {"solved": 342}, 0.0, 338.0, 338.0),
    ],
)
def test_recorded_answers_score_what_the_formula_says(
    platform: str, known: dict[str, Any], skill: float, volume: float, score: float
) -> None:
    part = part_of(platform, **known)

    assert (part.skill, part.volume, part.score) == (skill, volume, score)


def test_a_score_is_rounded_once_and_not_made_of_rounded_halves() -> None:
    part = part_of("leetcode", rating=1424.607, solved=347, solved_by=LEETCODE)

    assert (part.measure, round(part.skill + part.volume, 1)) == (587, 318.0)
    assert part.score == 318.1


@pytest.mark.parametrize(
    ("points", "rounded"), [(0.05, 0.1), (0.25, 0.3), (0.349, 0.3), (2.5, 2.5)]
)
def test_halves_are_rounded_up(points: float, rounded: float) -> None:
    assert tenths(points) == rounded


def test_who_never_contested_is_unrated_and_keeps_what_is_solved() -> None:
    part = part_of("atcoder", solved=722)

    assert (part.reason, part.rating, part.skill, part.score) == (Reason.UNRATED, None, 0.0, 346.4)


def test_a_platform_without_ratings_leaves_nobody_unrated() -> None:
    assert part_of("geeksforgeeks", solved=342).reason is Reason.NONE


def test_what_failed_last_is_stale_whatever_else_it_is() -> None:
    part = part_of("atcoder", solved=722, is_stale=True)

    assert (part.reason, part.score, part.as_of) == (Reason.STALE, 346.4, AT)


def test_an_unknown_count_is_stored_as_unknown() -> None:
    part = part_of("codeforces", rating=1622)

    assert (part.solved, part.measure) == (None, None)


def test_an_account_of_which_nothing_is_known_that_counts_is_no_part() -> None:
    assert score_part(SCALES["geeksforgeeks"], numbers()) is None


def test_problems_that_are_not_told_apart_count_once_each() -> None:
    assert part_of("leetcode", rating=1500, solved=347).measure == 347


def test_a_total_weighs_the_rounded_parts() -> None:
    half = score_part(replace(SCALES["codeforces"], weight=0.5), numbers(rating=1622))
    assert half is not None

    parts = {"codeforces": half, "geeksforgeeks": part_of("geeksforgeeks", solved=342)}

    assert total(parts) == 450.1


def test_tenths_add_up_without_a_remainder() -> None:
    part = part_of("codeforces", rating=1622)

    assert total({str(number): part for number in range(3)}) == 672.6


def test_other_parameters_are_another_version_and_the_same_ones_the_same() -> None:
    other = {**SCALES, "codeforces": replace(SCALES["codeforces"], weight=2)}

    assert version_of(SCALES) == version_of(dict(reversed(SCALES.items())))
    assert version_of(SCALES) != version_of(other)
    assert version_of(SCALES) == "1-3deab66b", "the README names it"


@given(
    platform=st.sampled_from(sorted(SCALES)),
    rating=st.none() | st.floats(allow_nan=False, allow_infinity=False),
    solved=st.none() | st.integers(0, 2**63 - 1),
    more=st.integers(0, 1_000),
)
def test_every_number_scores_within_the_bounds_and_more_is_never_less(
    platform: str, rating: float | None, solved: int | None, more: int
) -> None:
    part = score_part(SCALES[platform], numbers(rating=rating, solved=solved))
    better = score_part(
        SCALES[platform],
        numbers(
            rating=None if rating is None else rating + more,
            solved=None if solved is None else solved + more,
        ),
    )

    if part is not None and better is not None:
        assert 0 <= part.score <= 1_000
        assert math.isfinite(part.score)
        assert part.score <= better.score
