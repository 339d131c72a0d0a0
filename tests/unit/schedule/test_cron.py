from __future__ import annotations

import dataclasses
from datetime import UTC, datetime

import pytest

from syncd.errors import ConfigError
from syncd.schedule.cron import CronSchedule, parse_cron


def fires(expression: str, timezone: str, after: str, count: int) -> list[str]:
    """Fire times after a local time with offset, written the same way."""
    schedule = parse_cron(expression, timezone, "a job")
    instant = datetime.fromisoformat(after)
    found = []
    for _ in range(count):
        instant = schedule.next_after(instant)
        found.append(instant.astimezone(schedule.zone).isoformat(timespec="minutes"))
    return found


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


@pytest.mark.parametrize(
    ("expression", "is_fixed"),
    [
        ("0 2 * * *", True),
        ("30 0-23 * * *", True),
        ("H H * * *", True),
        ("@daily", True),
        ("15 0 2 * * *", True),
        ("@hourly", False),
        ("*/15 2 * * *", False),
        ("0 */6 * * *", False),
        ("*/5 0 2 * * *", False),
    ],
)
def test_a_star_among_seconds_minutes_and_hours_decides_what_is_fixed(
    expression: str, is_fixed: bool
) -> None:
    assert parse_cron(expression, "UTC", "a job").is_fixed is is_fixed


def test_the_next_fire_time_is_strictly_later_and_utc_whatever_zone_was_asked_in() -> None:
    schedule = parse_cron("0 9 * * *", "Asia/Kolkata")
    first = datetime(2026, 5, 1, 3, 30, tzinfo=UTC)

    following = schedule.next_after(first.astimezone(schedule.zone))

    assert following == datetime(2026, 5, 2, 3, 30, tzinfo=UTC)
    assert following.tzinfo is UTC


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ("2026-05-01T11:59:59.999999+00:00", "2026-05-01T12:00+00:00"),
        ("2026-05-01T12:00:00.000001+00:00", "2026-05-02T12:00+00:00"),
    ],
)
def test_fractions_of_a_second_count(after: str, expected: str) -> None:
    assert fires("0 12 * * *", "UTC", after, 1) == [expected]


def test_a_hash_is_steady_for_one_name_and_spreads_over_many() -> None:
    same = {parse_cron("H H * * *", "UTC", "profiles") for _ in range(3)}
    many = {
        parse_cron("H * * * *", "UTC", f"job {n}").next_after(datetime(2026, 5, 1, tzinfo=UTC))
        for n in range(200)
    }

    assert len(same) == 1
    assert len(many) > 40


def test_a_hash_without_a_name_is_refused() -> None:
    with pytest.raises(ConfigError, match='"H" needs a job'):
        parse_cron("H 2 * * *", "UTC")


@pytest.mark.parametrize("expression", ["0 0 31 2 *", "0 0 30 2 *", "0 0 31 4,6,9,11 *"])
def test_an_expression_that_never_fires_is_refused(expression: str) -> None:
    with pytest.raises(ConfigError, match="it never fires"):
        parse_cron(expression, "UTC")


def test_an_unknown_zone_is_refused_with_the_one_that_was_meant() -> None:
    with pytest.raises(ConfigError, match='did you mean "Asia/Kolkata"'):
        parse_cron("0 0 * * *", "Asia/Kolkatta")


def test_a_schedule_cannot_be_changed() -> None:
    schedule = parse_cron("0 0 * * *", "UTC")

    with pytest.raises(dataclasses.FrozenInstanceError):
        schedule.expression = "1 1 * * *"  # type: ignore[misc]


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
            "clock skips 02:00, 02:15, 02:30, ...",
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
