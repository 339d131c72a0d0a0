from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from syncd.cache.details import read_instant

INSTANT = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
SECONDS = int(INSTANT.timestamp())


@pytest.mark.parametrize(
    "told",
    [
        "2026-03-01T12:30:00Z",
        "2026-03-01T12:30:00+00:00",
        "2026-03-01T18:00:00+05:30",
        "2026-03-01T12:30:00",
        "2026-03-01 12:30",
        SECONDS,
        float(SECONDS),
        SECONDS * 1000,
        str(SECONDS),
        str(SECONDS * 1000),
    ],
)
def test_an_instant_is_read_however_it_is_written(told: Any) -> None:
    assert read_instant({"updated_at": told}, "updated_at") == INSTANT


def test_eight_digits_are_a_date() -> None:
    assert read_instant({"at": "20260301"}, "at") == datetime(2026, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize("details", [{}, {"updated_at": None}, {"other": 1}])
def test_details_that_tell_no_instant_are_not_unreadable(details: Any) -> None:
    assert read_instant(details, "updated_at") is None


@pytest.mark.parametrize(
    "details",
    [
        [],
        "text",
        None,
        {"updated_at": "yesterday"},
        {"updated_at": ""},
        {"updated_at": True},
        {"updated_at": []},
        {"updated_at": float("nan")},
        {"updated_at": float("inf")},
        {"updated_at": 1e30},
        {"updated_at": "0001-01-01T00:00:00+14:00"},
    ],
)
def test_what_is_no_instant_is_refused(details: Any) -> None:
    with pytest.raises((ValueError, TypeError, OverflowError, OSError)):
        read_instant(details, "updated_at")
