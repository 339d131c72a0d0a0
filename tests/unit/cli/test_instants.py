from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from syncd.cli.instants import parse_end, parse_instant, parse_start
from syncd.errors import BadInput

ZONE = ZoneInfo("Asia/Kolkata")


def test_instant_without_an_offset_is_meant_in_the_zone() -> None:
    assert parse_instant("2026-11-02T14:00", ZONE) == datetime(2026, 11, 2, 8, 30, tzinfo=UTC)


def test_offset_of_an_instant_wins() -> None:
    assert parse_instant("2026-11-02T14:00Z", ZONE) == datetime(2026, 11, 2, 14, tzinfo=UTC)


def test_bare_days_enclose_themselves() -> None:
    start, end = parse_start("2026-11-02", UTC), parse_end("2026-11-02", UTC)

    assert start < datetime(2026, 11, 2, tzinfo=UTC) <= end
    assert timedelta(hours=23, minutes=59) < end - start <= timedelta(days=1)


def test_start_with_a_time_is_exclusive() -> None:
    assert parse_start("2026-11-02T00:00", UTC) == datetime(2026, 11, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    "text", ["soon", "2026-13-01", "", "99999-01-01", "0001-01-01T00:00+23:59"]
)
def test_what_is_no_instant_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="no date and time"):
        parse_instant(text, UTC)
