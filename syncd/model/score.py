"""What a user scores over all platforms: a formula that anybody can do again by hand.

A platform gives up to 600 points of skill, for where a rating stands between two bounds, and up to
400 of volume, for how many problems are solved, on a logarithmic scale; the total is the weighted
sum. Pure: nothing is read or written here.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

SKILL = 600
VOLUME = 400
_FORMULA = 1


class Reason(StrEnum):
    """What a reader should know about a part: nothing, never rated, or older than it should be."""

    NONE = ""
    UNRATED = "unrated"
    STALE = "stale"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """The parameters of one platform.

    Skill goes from 0 at `rating_from` to its most at `rating_to`; both None: there is no rating
    here. Volume is at its most from `solved_full` on. `solved_weights` says how much a solved
    problem of each sort counts; empty: each counts once.
    """

    solved_full: float
    rating_from: float | None = None
    rating_to: float | None = None
    weight: float = 1.0
    solved_weights: Mapping[str, float] = field(default_factory=dict)

    @property
    def has_rating(self) -> bool:
        """Tell whether a rating counts here."""
        return self.rating_from is not None and self.rating_to is not None


Parameters = Mapping[str, Scale]
"""The scale of every platform that counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """The last good numbers of an account, and since when they are known to be right.

    `is_stale` tells that the last attempt to get newer ones failed.
    """

    rating: float | None
    solved: int | None
    solved_by: Mapping[str, int] | None
    as_of: datetime | None
    is_stale: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What one platform gives, with what it was made of.

    `measure` is the S of the formula: `solved`, or what `solved_by` comes to by its weights.
    `skill` and `volume` are rounded for people; `score` is rounded once, from their exact sum.
    """

    score: float
    skill: float
    volume: float
    rating: float | None
    solved: int | None
    solved_by: Mapping[str, int] | None
    measure: float | None
    weight: float
    reason: Reason
    as_of: datetime | None

    def as_json(self) -> dict[str, Any]:
        """Return it as it is stored, but for the instant, which is no text yet."""
        return {
            "score": self.score,
            "skill": self.skill,
            "volume": self.volume,
            "rating": self.rating,
            "solved": self.solved,
            "solved_by": None if self.solved_by is None else dict(self.solved_by),
            "measure": self.measure,
            "weight": self.weight,
            "reason": self.reason.value,
            "as_of": self.as_of,
        }


def score_part(scale: Scale, numbers: Numbers) -> Part | None:
    """Return what an account gives; what is not known gives nothing and is stored as not known.

    None where nothing is known that counts. Where ratings are given, to have none is known.
    """
    measure = _measure(scale, numbers)
    if measure is None and not scale.has_rating:
        return None
    skill, volume = _skill(scale, numbers.rating), _volume(scale, measure)
    return Part(
        score=tenths(skill + volume),
        skill=tenths(skill),
        volume=tenths(volume),
        rating=numbers.rating,
        solved=numbers.solved,
        solved_by=numbers.solved_by,
        measure=measure,
        weight=scale.weight,
        reason=_reason(scale, numbers),
        as_of=numbers.as_of,
    )


def total(parts: Mapping[str, Part]) -> float:
    """Return the weighted sum of the parts' scores."""
    return tenths(math.fsum(part.weight * part.score for part in parts.values()))


def tenths(points: float) -> float:
    """Round to 0.1, half up."""
    return math.floor(points * 10 + 0.5) / 10


def version_of(parameters: Parameters) -> str:
    """Return the name of the formula with these parameters: the same as long as they are."""
    return f"{_FORMULA}-{hashlib.sha256(parameters_json(parameters).encode()).hexdigest()[:8]}"


def parameters_json(parameters: Parameters) -> str:
    """Return the parameters as they are stored beside their version."""
    scales = {name: scale_json(scale) for name, scale in parameters.items()}
    return json.dumps(scales, sort_keys=True, separators=(",", ":"))


def scale_json(scale: Scale) -> dict[str, Any]:
    """Return the parameters of one platform; numbers that are equal are written alike."""
    return {
        "rating_from": None if scale.rating_from is None else float(scale.rating_from),
        "rating_to": None if scale.rating_to is None else float(scale.rating_to),
        "solved_full": float(scale.solved_full),
        "weight": float(scale.weight),
        "solved_weights": {word: float(each) for word, each in scale.solved_weights.items()},
    }


def _measure(scale: Scale, numbers: Numbers) -> float | None:
    if scale.solved_weights and numbers.solved_by is not None:
        return sum(
            weight * numbers.solved_by.get(word, 0) for word, weight in scale.solved_weights.items()
        )
    return numbers.solved


def _skill(scale: Scale, rating: float | None) -> float:
    if rating is None or scale.rating_from is None or scale.rating_to is None:
        return 0.0
    share = (rating - scale.rating_from) / (scale.rating_to - scale.rating_from)
    return SKILL * min(1.0, max(0.0, share))


def _volume(scale: Scale, measure: float | None) -> float:
    if measure is None:
        return 0.0
    return VOLUME * min(1.0, math.log1p(measure) / math.log1p(scale.solved_full))


def _reason(scale: Scale, numbers: Numbers) -> Reason:
    if numbers.is_stale:
        return Reason.STALE
    return Reason.UNRATED if scale.has_rating and numbers.rating is None else Reason.NONE
