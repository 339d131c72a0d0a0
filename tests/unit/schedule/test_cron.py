from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta

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


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        # Either day is enough, whatever it is called.
        ("0 0 13 * 5#2", ["2026-05-08", "2026-05-13", "2026-06-12", "2026-06-13"]),
        ("0 0 L * mon#1", ["2026-05-04", "2026-05-31", "2026-06-01", "2026-06-30"]),
        ("0 0 15W * 5L", ["2026-05-15", "2026-05-29", "2026-06-15", "2026-06-26"]),
        ("0 0 31 2 5L", ["2027-02-26", "2028-02-25"]),
        # A list may hold all kinds of days.
        ("0 0 1W,15W,L * *", ["2026-05-15", "2026-05-31", "2026-06-01", "2026-06-15"]),
        ("0 0 * * 1#1,3,5L", ["2026-05-04", "2026-05-06", "2026-05-13", "2026-05-20"]),
        # A field that starts with * narrows the other one; a * further back does not.
        ("0 0 */2 * 5L", ["2026-05-29", "2026-07-31", "2026-09-25"]),
        ("0 0 L * */2", ["2026-05-31", "2026-06-30", "2026-10-31"]),
        ("0 0 *,5 * 1", ["2026-05-04", "2026-05-11"]),
        ("0 0 5,* * 1", ["2026-05-02", "2026-05-03", "2026-05-04"]),
        ("0 0 1-31 * 1", ["2026-05-02", "2026-05-03"]),
        ("0 0 13 * 0-6", ["2026-05-02", "2026-05-03"]),
        # A W looks for the nearest weekday within its month, from its last day at most.
        ("0 0 31W * *", ["2026-05-29", "2026-06-30", "2026-07-31", "2026-08-31"]),
    ],
)
def test_days_of_every_kind_go_together(expression: str, expected: list[str]) -> None:
    found = fires(expression, "UTC", "2026-05-01T12:00+00:00", len(expected))

    assert [each[:10] for each in found] == expected


def test_a_shift_of_most_of_a_day_back_is_a_correction_and_fires_again() -> None:
    found = fires("0 22 * * *", "Pacific/Kwajalein", "1969-09-30T12:00+11:00", 2)

    assert found == ["1969-09-30T22:00+11:00", "1969-09-30T22:00-12:00"]


@pytest.mark.parametrize("expression", ["* * * * *", "0 0 * * *", "0 0 29 2 *"])
@pytest.mark.parametrize("timezone", ["America/New_York", "Asia/Kolkata"])
def test_it_fires_to_the_ends_of_the_calendar(expression: str, timezone: str) -> None:
    schedule = parse_cron(expression, timezone)

    assert schedule.next_after(datetime.min.replace(tzinfo=UTC)) is not None
    assert schedule.next_after(datetime(9500, 1, 1, tzinfo=UTC)) is not None
    assert schedule.next_after(datetime.max.replace(tzinfo=UTC)) is None


def test_what_steps_on_from_a_number_is_remarked_on_as_other_crons_refuse_it() -> None:
    assert '"5/20" steps on' in parse_cron("5/20 * * * *", "UTC").remark
    assert not parse_cron("*/20 5-15/2 * * *", "UTC").remark


def test_each_fire_time_of_a_schedule_is_looked_for_once_however_many_jobs_share_it() -> None:
    written = ["7 3 * * MON-FRI", " 7 3 * * 1-5", "7-7 3 * * mon-5"]
    jobs = [parse_cron(written[n % 3], "America/Lima", f"job {n}") for n in range(3000)]
    before = jobs[0].evaluations
    instant = datetime(2026, 5, 1, tzinfo=UTC)

    for _ in range(10):
        late = timedelta(microseconds=1)
        instants = [job.next_after(instant + n * late) for n, job in enumerate(jobs)]
        assert len(set(instants)) == 1
        instant = instants[0]

    assert jobs[0].evaluations - before == 10


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


@pytest.mark.parametrize(
    ("expression", "timezone"),
    [
        ("0 0 31 2 *", "UTC"),
        ("0 0 30 2 *", "UTC"),
        ("0 0 31 4,6,9,11 *", "UTC"),
        ("0 0 29W 2 */7", "UTC"),
        # A 29 March that is a Sunday is the last one of its month: 02:00 is in the gap every time.
        ("*/15 2 29 3 */7", "Europe/Berlin"),
    ],
)
def test_an_expression_that_never_fires_is_refused(expression: str, timezone: str) -> None:
    with pytest.raises(ConfigError, match="it never fires"):
        parse_cron(expression, timezone)


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
