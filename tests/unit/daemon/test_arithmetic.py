from __future__ import annotations

from typing import Any

import pytest

from syncd.daemon.arithmetic import part_answer

DUE: dict[str, Any] = {"total": None, "parts": None, "is_due": True}
SETTLED: dict[str, Any] = {"total": None, "parts": None, "is_due": False}


def account(**changes: Any) -> dict[str, Any]:
    return {"platform": "leetcode", "state": "active", "has_answer": True, **changes}


@pytest.mark.parametrize(
    ("score", "row", "reason"),
    [
        (SETTLED, {"state": "gone"}, "no part: the account is gone"),
        (DUE, {"state": "gone", "has_answer": False}, "no part: the account is gone"),
        (DUE, {"has_answer": False}, "no part: no good answer so far"),
        (None, {"has_answer": False}, "no part: no good answer so far"),
        (SETTLED, {"state": "quarantined", "has_answer": False}, "no part: no good answer so far"),
        (SETTLED, {"state": "opted_out"}, "no part: nothing is computed of who opted out"),
        (DUE, {}, "no part yet: is about to be computed"),
        (SETTLED, {}, "no part: the answer holds no number that counts"),
    ],
)
def test_a_part_that_is_missing_has_the_one_reason_that_is_true(
    score: dict[str, Any] | None, row: dict[str, Any], reason: str
) -> None:
    answer = part_answer(score, account(**row), counts=True)

    assert answer == {"score": None, "arithmetic": [reason]}


def test_a_platform_that_does_not_count_is_no_missing_part() -> None:
    assert part_answer(SETTLED, account(), counts=False) is None
