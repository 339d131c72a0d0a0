from __future__ import annotations

from collections.abc import Callable

import pytest

from syncd.config.models import Config
from syncd.config.rules import check_score
from syncd.config.score import SCORE_DEFAULTS


def test_a_platform_that_is_not_named_keeps_its_parameters(
    loaded: Callable[..., Config],
) -> None:
    config = loaded("[score.leetcode]\nweight = 0.5\n")

    leetcode = config.score["leetcode"]
    assert (leetcode.weight, leetcode.rating_from) == (0.5, 1400)
    assert {**config.score, "leetcode": None} == {**SCORE_DEFAULTS, "leetcode": None}


def test_ratings_and_weights_can_be_left_out_of_the_count(loaded: Callable[..., Config]) -> None:
    config = loaded(
        '[score.leetcode]\nrating_from = ""\nrating_to = ""\nsolved_weights = {}\n',
        checks=[check_score],
    )

    leetcode = config.score["leetcode"]
    assert (leetcode.rating_from, leetcode.rating_to) == (None, None)
    assert leetcode.solved_weights == {}


def test_any_platform_there_is_can_be_made_a_part(loaded: Callable[..., Config]) -> None:
    assert loaded("[score.github]\nsolved_full = 10\n").score["github"].solved_full == 10


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "[score.leetcod]\n",
            'config.toml:1: score.leetcod: unknown platform, did you mean "leetcode"?',
        ),
        (
            "[score.github]\nweight = 1\n",
            "config.toml:1: score.github.solved_full: is missing",
        ),
        (
            "[score.leetcode]\nwieght = 1\n",
            'score.leetcode.wieght: unknown key, did you mean "weight"?',
        ),
        ("[score.leetcode]\nsolved_full = 0\n", "solved_full: must be greater than 0, not 0"),
        ("[score.leetcode]\nweight = -1\n", "weight: must be greater than or equal to 0, not -1"),
        (
            "[score.leetcode]\nweight = nan\n",
            "score.leetcode.weight: must be a finite number, not nan",
        ),
        ("[score.leetcode]\nrating_to = inf\n", "rating_to: must be a finite number, not inf"),
        ("[score.leetcode]\nrating_to = 1400\n", "rating_to: must be more than rating_from, 1400"),
        (
            '[score.leetcode]\nrating_to = ""\n',
            "rating_to: must stand beside the other bound; name both, or neither without a rating",
        ),
        ("[score]\nleetcode = 1\n", "score.leetcode: must be a table"),
        (
            '[score.leetcode]\nsolved_weights = { easy = "x" }\n',
            "score.leetcode.solved_weights.easy",
        ),
    ],
)
def test_what_cannot_be_a_scale_is_refused_with_its_place(
    problems: Callable[..., list[str]], text: str, problem: str
) -> None:
    found = problems(text, checks=[check_score])

    assert len(found) == 1
    assert problem in found[0]
