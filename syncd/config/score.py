"""The tables [score.NAME]: what each platform's part of the score is made of."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated

from pydantic import Field

from syncd.config.section import Section
from syncd.config.values import EMPTY_IS_NONE

_Finite = Annotated[float, Field(allow_inf_nan=False)]
_Rating = Annotated[_Finite | None, EMPTY_IS_NONE]
_Weight = Annotated[float, Field(ge=0, le=1_000, allow_inf_nan=False)]


class ScoreSettings(Section):
    """The parameters of one platform; what they do is told in `model.score`.

    Both ratings None: the platform has no rating, and gives no skill.
    """

    rating_from: _Rating = None
    rating_to: _Rating = None
    solved_full: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    solved_weights: Mapping[str, _Weight] = Field(default_factory=dict)
    weight: _Weight = 1.0


SCORE_DEFAULTS: Mapping[str, ScoreSettings] = MappingProxyType(
    {
        "leetcode": ScoreSettings(
            rating_from=1400,
            rating_to=2800,
            solved_full=4000,
            solved_weights={"easy": 1, "medium": 2, "hard": 4},
        ),
        "codeforces": ScoreSettings(rating_from=800, rating_to=3000, solved_full=2000),
        "codechef": ScoreSettings(rating_from=1000, rating_to=2500, solved_full=1000),
        "atcoder": ScoreSettings(rating_from=0, rating_to=2800, solved_full=2000),
        "hackerrank": ScoreSettings(rating_from=0, rating_to=6, solved_full=600),
        "geeksforgeeks": ScoreSettings(solved_full=1000),
    }
)
"""The platforms that are part of the score without a word in the file."""
