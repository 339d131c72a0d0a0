"""Quiet hours by the clock on the wall."""

from __future__ import annotations

from datetime import UTC, datetime, time

import pytest

from syncd.model.quiet import Quiet, latest


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "begins", "ends", "now", "until"),
    [
        ("UTC", 13, 15, "2026-01-05 14:00", "2026-01-05 15:00"),
        ("UTC", 13, 15, "2026-01-05 13:00", "2026-01-05 15:00"),
        ("UTC", 13, 15, "2026-01-05 15:00", None),
        ("UTC", 22, 7, "2026-01-05 23:00", "2026-01-06 07:00"),
        ("UTC", 22, 7, "2026-01-06 06:59", "2026-01-06 07:00"),
        ("UTC", 22, 7, "2026-01-06 12:00", None),
        ("Asia/Kolkata", 22, 7, "2026-01-06 00:00", "2026-01-06 01:30"),
        ("Asia/Kolkata", 22, 7, "2026-01-06 02:00", None),
        # The clock goes from 2 to 3: the night is an hour shorter.
        ("Europe/Berlin", 22, 7, "2026-03-28 22:00", "2026-03-29 05:00"),
        # From 3 back to 2: an hour longer.
        ("Europe/Berlin", 22, 7, "2026-10-24 22:00", "2026-10-25 06:00"),
        ("No/Where", 22, 7, "2026-01-05 23:00", "2026-01-06 07:00"),
    ],
)
def test_quiet_hours_end_by_the_clock_of_the_user(
    zone: str, begins: int, ends: int, now: str, until: str | None
) -> None:
    quiet = Quiet(timezone=zone, begins_at=time(begins), ends_at=time(ends))

    assert quiet.until(at(now)) == (None if until is None else at(until))


def test_an_hour_of_the_day_is_reached_by_the_clock_of_the_user() -> None:
    now = at("2026-01-06 01:00")

    assert latest(now, 8, "Asia/Kolkata") is None
    assert latest(now, 6, "Asia/Kolkata") == at("2026-01-06 00:30")
    assert latest(now, 8, "America/New_York") == at("2026-01-05 13:00")
