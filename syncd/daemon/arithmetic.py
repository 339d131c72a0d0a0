"""A user's score as arithmetic that can be done again by hand, out of what is stored and no more.

Pure, like `daemon.why`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any

from syncd.daemon.answers import Json
from syncd.model.score import SKILL, VOLUME, Reason

_Part = Mapping[str, Any]
_Scale = Mapping[str, Any]
_Account = Mapping[str, Any]


def score_answer(score: Json | None) -> Json:
    """Return a user's total with its arithmetic; what was never computed is None."""
    score = score or {"total": None, "is_due": False}
    is_scored = score["total"] is not None
    names = ("total", "formula_version", "computed_at", "is_due")
    return {
        **{name: score.get(name) for name in names},
        "arithmetic": _total_in_words(score) if is_scored else _without_in_words(score["is_due"]),
    }


def part_answer(score: Json | None, account: _Account, *, counts: bool) -> Json | None:
    """Return what an account gives to a score, and how; None where its platform does not count."""
    platform = account["platform"]
    part = ((score or {}).get("parts") or {}).get(platform)
    if part is None or score is None:
        is_due = bool(score and score["is_due"])
        missing = _missing_in_words(account, is_due=is_due)
        return {"score": None, "arithmetic": [missing]} if counts else None
    scale = score["parameters"][platform]
    return {**part, "arithmetic": part_in_words(part, scale, is_due=score["is_due"])}


def part_in_words(part: _Part, scale: _Scale, *, is_due: bool = False) -> list[str]:
    """Write how a part came about, line by line."""
    score, skill, volume = part["score"], part["skill"], part["volume"]
    is_off = round(skill + volume, 1) != score
    lines = [
        f"{score:.1f} = skill {skill:.1f} + volume {volume:.1f}"
        + (" (rounded once, from the exact sum)" if is_off else ""),
        _skill_in_words(part, scale),
        _volume_in_words(part, scale),
    ]
    if part["reason"] == Reason.STALE:
        lines.append(f"stale: the last attempt failed, the numbers are of {_day(part['as_of'])}")
    return [*lines, "is about to be computed again"] if is_due else lines


def _skill_in_words(part: _Part, scale: _Scale) -> str:
    skill, rating = f"skill {part['skill']:.1f}", part["rating"]
    low, high = scale["rating_from"], scale["rating_to"]
    if low is None or high is None:
        return f"{skill}: no rating counts here"
    if rating is None:
        return f"{skill}: unrated"
    if rating <= low:
        return f"{skill}: a rating of {_number(rating)} is not above {_number(low)}"
    if rating >= high:
        return f"{skill}: the most, as {_number(rating)} is not below {_number(high)}"
    above = f"({_number(rating)} - {_number(low)})"
    return f"{skill} = {SKILL} x {above} / {_number(high - low)}"


def _volume_in_words(part: _Part, scale: _Scale) -> str:
    volume, measure, full = f"volume {part['volume']:.1f}", part["measure"], scale["solved_full"]
    if measure is None:
        return f"{volume}: how many are solved is not known"
    weighed = _weighed_in_words(part, scale)
    if measure >= full:
        return f"{volume}: the most, as {_number(measure)} is not below {_number(full)}{weighed}"
    return f"{volume} = {VOLUME} x ln(1 + {_number(measure)}) / ln(1 + {_number(full)}){weighed}"


def _weighed_in_words(part: _Part, scale: _Scale) -> str:
    weights, solved_by = scale["solved_weights"], part["solved_by"]
    if not weights or solved_by is None:
        return ""
    ranked = sorted(weights.items(), key=itemgetter(1, 0))
    terms = [f"{_number(each)} x {solved_by.get(word, 0)} {word}" for word, each in ranked]
    return f", {_number(part['measure'])} = {' + '.join(terms)}"


def _missing_in_words(account: _Account, *, is_due: bool) -> str:
    """Say why there is no part, what computing again would not change before what it would."""
    if account["state"] == "gone":
        return "no part: the account is gone"
    if not account["has_answer"]:
        return "no part: no good answer so far"
    if account["state"] == "opted_out":
        return "no part: nothing is computed of who opted out"
    if is_due:
        return "no part yet: is about to be computed"
    return "no part: the answer holds no number that counts"


def _total_in_words(score: Json) -> str:
    terms = [
        ("" if part["weight"] == 1 else f"{_number(part['weight'])} x ")
        + f"{part['score']:.1f} {platform}"
        for platform, part in sorted(score["parts"].items())
    ]
    return f"{score['total']:.1f} = {' + '.join(terms)}"


def _without_in_words(is_due: bool) -> str:
    return "is about to be computed" if is_due else "no platform gives a part"


def _day(as_of: str | None) -> str:
    if as_of is None:
        return "an unknown time"
    return f"{datetime.fromisoformat(as_of).astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _number(value: float) -> str:
    """Write a number as short as it is exact."""
    return str(int(value)) if value == int(value) else repr(value)
