"""What the demo finds of contests: what is not as it must be is named."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from syncd.daemon.reminding import Reminded

FINE = Reminded(
    users=1,
    coming={"codeforces": 3},
    turns=[],
    sent={"reminder": 2, "moved": 1},
    received={"email": 2, "webhook": 1},
    repeated=0,
    renewed=1,
    requests=4,
    example="",
)


def test_numbers_that_agree_are_not_wrong() -> None:
    assert list(FINE.mismatches()) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"received": {"email": 2}}, "3 messages were sent, 2 arrived"),
        ({"repeated": 1}, "1 of the messages arrived twice"),
        ({"wrong": ["contests: 1 failed"]}, "contests: 1 failed"),
    ],
)
def test_what_is_not_as_it_must_be_is_named(changes: dict[str, Any], words: str) -> None:
    assert list(replace(FINE, **changes).mismatches()) == [words]
