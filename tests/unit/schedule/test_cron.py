from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta

import pytest
from fakes.fire_times import fires

from syncd.errors import ConfigError
from syncd.schedule.cron import parse_cron


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
