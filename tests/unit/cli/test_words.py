from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from syncd.cli.words import (
    act_in_words,
    clock_time,
    distance,
    in_words,
    latency,
    part_in_words,
    progress_in_words,
    share_in_words,
    tally,
    zone_of,
)

NOW = datetime(2026, 11, 21, 11, 18, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0.0 s"),
        (1.9, "1.9 s"),
        (42.4, "42 s"),
        (60, "1 m 00 s"),
        (1084, "18 m 04 s"),
        (25_920, "7 h 12 m"),
        (273_600, "3 d 4 h"),
    ],
)
def test_duration_names_its_two_largest_units(seconds: float, words: str) -> None:
    assert in_words(seconds) == words


def test_a_share_is_full_only_when_nothing_is_missing() -> None:
    shares = [share_in_words(share) for share in (None, 0.0, 0.9842, 0.99999, 1.0)]

    assert shares == ["-", "0.0 %", "98.4 %", "99.9 %", "100 %"]


def test_a_part_is_the_whole_only_when_nothing_is_missing() -> None:
    parts = [(0, 0), (0, 9), (1, 100_000), (9, 1_000), (212, 1_180), (9_999, 10_000), (9, 9)]

    shown = [part_in_words(part, whole) for part, whole in parts]

    assert shown == ["0 %", "0 %", "0.1 %", "0.9 %", "18 %", "99 %", "100 %"]


def test_a_short_duration_is_told_in_milliseconds() -> None:
    assert [latency(0.0042), latency(1.94)] == ["4 ms", "1.9 s"]


def test_what_a_run_was_asked_for_names_what_it_is_about() -> None:
    asked = [{"act": "undo", "of": 12}, {"act": "restore", "of": 3}, {"act": "rehydrate"}, {}]

    assert list(map(act_in_words, asked)) == ["undo run 12", "restore backup 3", "rehydrate", ""]


def test_instant_is_as_short_as_it_can_be_told_from_others() -> None:
    zone = ZoneInfo("Asia/Kolkata")

    shown = [clock_time(NOW + timedelta(days=days), zone, NOW) for days in (0, 1, 40)]

    assert shown == ["16:48", "Sun 16:48", "2026-12-31 16:48"]


def test_distance_looks_both_ways() -> None:
    ahead = distance(NOW + timedelta(hours=7, minutes=12), NOW)
    behind = distance(NOW - timedelta(seconds=200), NOW)

    assert (ahead, behind) == ("in 7 h 12 m", "3 m 20 s ago")


def test_unknown_zone_is_shown_in_utc() -> None:
    assert zone_of("Mars/Base") is UTC


def test_tally_leaves_zeros_out_and_explains_failures() -> None:
    run = {
        "created": 0,
        "updated": 1204,
        "unchanged": 1,
        "failed": 14,
        "failures": {"transient": 3, "not_found": 11},
    }

    assert tally(run) == "1,204 updated, 1 unchanged, 14 failed (not_found 11, transient 3)"
    assert tally({"failures": {}}) == "nothing was due"


def test_progress_of_several_platforms_is_added_up() -> None:
    parts = [
        {"done": 10, "total": 20, "failed": 1, "eta_seconds": 5.0, "waits_for": ""},
        {"done": 5, "total": 20, "failed": 0, "eta_seconds": 7.0, "waits_for": "quota"},
    ]

    assert progress_in_words(parts) == "37 %  15/40  1 failed  eta 7.0 s  waits for quota"


def test_progress_has_no_forecast_while_one_platform_has_none() -> None:
    through = {"done": 20, "total": 20, "failed": 0, "eta_seconds": None, "waits_for": ""}
    waiting = {"done": 0, "total": 20, "failed": 0, "eta_seconds": None, "waits_for": "quota"}
    going = {"done": 10, "total": 20, "failed": 0, "eta_seconds": 5.0, "waits_for": ""}

    assert progress_in_words([through, going]) == "75 %  30/40  eta 5.0 s"
    assert progress_in_words([waiting, going]) == "25 %  10/40  waits for quota"
