"""Cron where clocks change, by hand-picked nights."""

from __future__ import annotations

from datetime import datetime

import pytest
from fakes.fire_times import fires

from syncd.schedule.cron import CronSchedule, parse_cron


@pytest.mark.parametrize(
    ("expression", "timezone", "after", "expected"),
    [
        # Dublin is listed with winter time as its saving: the rule does not care.
        (
            "45 1 * * *",
            "Europe/Dublin",
            "2026-03-28T12:00+00:00",
            ["2026-03-29T02:00+01:00", "2026-03-30T01:45+01:00"],
        ),
        # Times in the gap and the end of the gap itself are one fire.
        (
            "0,20,40 2,3 * * *",
            "America/Chicago",
            "2026-03-08T01:30-06:00",
            ["2026-03-08T03:00-05:00", "2026-03-08T03:20-05:00", "2026-03-08T03:40-05:00"],
        ),
        # The gap ends at midnight's far side: the day starts at 01:00.
        (
            "5 0 * * 0",
            "America/Asuncion",
            "2023-09-30T12:00-04:00",
            ["2023-10-01T01:00-03:00", "2023-10-08T00:05-03:00"],
        ),
        # A gap of half an hour, and one of two hours.
        (
            "20 2 * * *",
            "Australia/Lord_Howe",
            "2027-10-02T12:00+10:30",
            ["2027-10-03T02:30+11:00", "2027-10-04T02:20+11:00"],
        ),
        (
            "30 1,2 * * *",
            "Antarctica/Troll",
            "2026-03-28T12:00+00:00",
            ["2026-03-29T03:00+02:00", "2026-03-30T01:30+02:00", "2026-03-30T02:30+02:00"],
        ),
        # Three hours are the longest shift that counts as daylight saving.
        (
            "30 3 * * *",
            "Antarctica/Casey",
            "2009-10-17T12:00+08:00",
            ["2009-10-18T05:00+11:00", "2009-10-19T03:30+11:00"],
        ),
        # With six fields the seconds take part in the rule.
        (
            "30 15 2 * * *",
            "Europe/Paris",
            "2026-03-28T12:00+01:00",
            ["2026-03-29T03:00+02:00", "2026-03-30T02:15+02:00"],
        ),
    ],
)
def test_a_fixed_time_in_the_gap_fires_once_at_its_end(
    expression: str, timezone: str, after: str, expected: list[str]
) -> None:
    assert fires(expression, timezone, after, len(expected)) == expected


@pytest.mark.parametrize(
    ("expression", "timezone", "after", "expected"),
    [
        (
            "15 1 * * *",
            "America/Los_Angeles",
            "2026-10-31T12:00-07:00",
            ["2026-11-01T01:15-07:00", "2026-11-02T01:15-08:00"],
        ),
        # Started within the second pass: the whole pass is over already.
        (
            "50 2 * * *",
            "Europe/Rome",
            "2026-10-25T02:10+01:00",
            ["2026-10-26T02:50+01:00"],
        ),
        # The end of the repeated stretch is not part of it.
        (
            "0,30 2,3 * * *",
            "Europe/Rome",
            "2026-10-25T02:10+01:00",
            ["2026-10-25T03:00+01:00", "2026-10-25T03:30+01:00"],
        ),
        # The hours 23 repeat, so the new day starts late.
        (
            "0,30 0,23 * * *",
            "America/Havana",
            "2026-10-31T23:15-04:00",
            ["2026-10-31T23:30-04:00", "2026-11-01T00:00-04:00", "2026-11-01T00:30-04:00"],
        ),
        (
            "30 59 1 * * *",
            "Europe/Lisbon",
            "2026-10-24T12:00+01:00",
            ["2026-10-25T01:59+01:00", "2026-10-26T01:59+00:00"],
        ),
    ],
)
def test_a_fixed_time_that_the_clock_repeats_fires_in_the_first_pass_only(
    expression: str, timezone: str, after: str, expected: list[str]
) -> None:
    assert fires(expression, timezone, after, len(expected)) == expected


@pytest.mark.parametrize(
    ("expression", "timezone", "after", "expected"),
    [
        (
            "*/20 * * * *",
            "Europe/Madrid",
            "2026-03-29T01:30+01:00",
            ["2026-03-29T01:40+01:00", "2026-03-29T03:00+02:00", "2026-03-29T03:20+02:00"],
        ),
        (
            "*/30 1 * * *",
            "America/Denver",
            "2026-11-01T01:10-06:00",
            [
                "2026-11-01T01:30-06:00",
                "2026-11-01T01:00-07:00",
                "2026-11-01T01:30-07:00",
                "2026-11-02T01:00-07:00",
            ],
        ),
        (
            "10 */2 * * *",
            "Asia/Beirut",
            "2026-03-28T21:00+02:00",
            ["2026-03-28T22:10+02:00", "2026-03-29T02:10+03:00", "2026-03-29T04:10+03:00"],
        ),
        # Twice a year for forty years, and still the right day.
        ("* * 29 2 */7", "Europe/Berlin", "2032-03-01T00:00+01:00", ["2060-02-29T00:00+01:00"]),
    ],
)
def test_every_other_schedule_follows_real_time(
    expression: str, timezone: str, after: str, expected: list[str]
) -> None:
    assert fires(expression, timezone, after, len(expected)) == expected


@pytest.mark.parametrize("expression", ["0 12 30 12 *", "0-59 0-59 0-23 30 12 *"])
def test_a_day_that_the_calendar_drops_is_not_made_up_for(expression: str) -> None:
    found = fires(expression, "Pacific/Apia", "2011-12-29T23:59:59-10:00", 1)

    assert found[0].startswith("2012-12-30")


def test_a_shift_of_most_of_a_day_back_is_a_correction_and_fires_again() -> None:
    found = fires("0 22 * * *", "Pacific/Kwajalein", "1969-09-30T12:00+11:00", 2)

    assert found == ["1969-09-30T22:00+11:00", "1969-09-30T22:00-12:00"]


@pytest.mark.parametrize(
    ("expression", "timezone", "fire_time", "note"),
    [
        ("30 2 * * *", "Europe/Berlin", "2026-03-29T03:00+02:00", "clock skips 02:30"),
        ("15,45 2 * * *", "Europe/Berlin", "2026-03-29T03:00+02:00", "clock skips 02:15, 02:45"),
        ("0 */2 * * *", "Europe/Berlin", "2026-03-29T04:00+02:00", "clock skips 02:00"),
        ("5 30 2 * * *", "Europe/Berlin", "2026-03-29T03:00+02:00", "clock skips 02:30:05"),
        (
            "* * * * *",
            "Europe/Berlin",
            "2026-03-29T03:00+02:00",
            "clock skips 02:00, 02:01, 02:02, ...",
        ),
        (
            "*/15 2 * * 0",
            "Europe/Berlin",
            "2026-04-05T02:00+02:00",
            "clock skips 2026-03-29 02:00, 02:15, 02:30, ...",
        ),
        (
            "0 12 * * *",
            "Pacific/Apia",
            "2011-12-31T12:00+14:00",
            "clock skips 2011-12-30 12:00",
        ),
        ("30 2 * * *", "Europe/Berlin", "2026-03-30T02:30+02:00", ""),
        ("0 3 * * *", "Europe/Berlin", "2026-03-29T03:00+02:00", ""),
        (
            "30 1 * * *",
            "America/New_York",
            "2026-11-01T01:30-04:00",
            "clock repeats 01:30; fixed hour fires once",
        ),
        (
            "30 * * * *",
            "America/New_York",
            "2026-11-01T01:30-05:00",
            "clock repeats 01:30; fires each time",
        ),
        ("30 2 * * *", "America/New_York", "2026-11-01T02:30-05:00", ""),
        ("30 2 * * *", "Asia/Kolkata", "2026-03-29T02:30+05:30", ""),
    ],
)
def test_a_fire_time_that_changing_clocks_moved_or_doubled_says_so(
    expression: str, timezone: str, fire_time: str, note: str
) -> None:
    schedule: CronSchedule = parse_cron(expression, timezone)

    assert schedule.explain(datetime.fromisoformat(fire_time)) == note
