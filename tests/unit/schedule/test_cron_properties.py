"""Cron against a second opinion: a model that looks at every moment, and another library."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from cronsim import CronSim
from fakes.cron_model import (
    DAYS,
    EVERY,
    EXPRESSIONS,
    HOURS,
    LOOKS,
    MINUTE,
    MINUTES,
    MONTHS,
    SECOND,
    WEEKDAYS,
    Column,
    Written,
    looked_up,
)
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from syncd.errors import ConfigError
from syncd.schedule.cron import CronSchedule, parse_cron
from syncd.schedule.timetable import fires_between

CHANGES = [
    ("Europe/Berlin", "2026-03-29T01:00Z"),
    ("Europe/Berlin", "2026-10-25T01:00Z"),
    ("Europe/Berlin", "2098-10-26T01:00Z"),
    ("America/New_York", "2026-03-08T07:00Z"),
    ("America/New_York", "2026-11-01T06:00Z"),
    ("America/New_York", "2499-03-08T07:00Z"),
    ("Australia/Lord_Howe", "2026-04-04T15:00Z"),
    ("Australia/Lord_Howe", "2026-10-03T15:30Z"),
    ("Pacific/Chatham", "2026-04-04T14:00Z"),
    ("Pacific/Chatham", "2026-09-26T14:00Z"),
    ("America/Santiago", "2026-04-05T03:00Z"),
    ("America/Santiago", "2026-09-06T04:00Z"),
    ("America/Nuuk", "2026-03-29T01:00Z"),
    ("America/Havana", "2026-11-01T05:00Z"),
    ("Atlantic/Azores", "2026-10-25T01:00Z"),
    ("Antarctica/Troll", "2026-03-29T01:00Z"),
    ("Antarctica/Troll", "2026-10-25T01:00Z"),
    ("Antarctica/Casey", "2018-03-10T17:00Z"),
    ("Antarctica/Casey", "2019-10-03T19:00Z"),
    ("Africa/Casablanca", "2027-02-07T02:00Z"),
    ("Africa/Casablanca", "2027-03-14T02:00Z"),
    ("Europe/Dublin", "2026-03-29T01:00Z"),
    ("America/St_Johns", "2026-11-01T04:30Z"),
    ("America/Caracas", "2007-12-09T07:00Z"),
    ("Asia/Pyongyang", "2018-05-04T15:00Z"),
    ("Asia/Kathmandu", "1985-12-31T18:30Z"),
    ("Africa/Cairo", "2026-04-23T22:00Z"),
    ("Pacific/Apia", "2011-12-30T10:00Z"),
    ("Pacific/Kwajalein", "1993-08-21T12:00Z"),
    ("Asia/Kolkata", "2026-03-29T01:00Z"),
]
# Its clock skipped 44 minutes and 30 seconds.
ODD_CHANGE = ("Africa/Monrovia", "1972-01-07T00:44:30Z")


def read(text: str, timezone: str = "Europe/Berlin") -> CronSchedule | ConfigError:
    try:
        return parse_cron(text, timezone, "a job")
    except ConfigError as refusal:
        return refusal


def found(text: str, timezone: str, start: datetime, step: timedelta) -> list[datetime]:
    """Return the fire times as far as the model looks; none for what never fires."""
    answer = read(text, timezone)
    if isinstance(answer, ConfigError):
        assert "never fires" in str(answer)
        return []
    looked_from = start.replace(microsecond=0)
    end = (looked_from.replace(second=0) if step == MINUTE else looked_from) + LOOKS * step
    return fires_between(answer, start, end, LOOKS)


@settings(max_examples=60, deadline=None)
@given(
    written=EXPRESSIONS,
    change=st.sampled_from(CHANGES),
    before=st.integers(-60 * 4, 60 * 26),
    seconds=st.sampled_from([0, 1, 59, 59.999]),
)
def test_near_a_change_it_fires_as_a_look_at_every_minute_says(
    written: Written, change: tuple[str, str], before: int, seconds: float
) -> None:
    written = replace(written, second=None)
    start = datetime.fromisoformat(change[1]) - before * MINUTE + timedelta(seconds=seconds)

    expected = looked_up(written, ZoneInfo(change[0]), start, MINUTE)

    assert found(str(written), change[0], start, MINUTE) == expected


@settings(max_examples=60, deadline=None)
@given(
    written=EXPRESSIONS,
    change=st.sampled_from([*CHANGES, ODD_CHANGE]),
    before=st.integers(-45 * 60, LOOKS),
)
def test_near_a_change_it_fires_as_a_look_at_every_second_says(
    written: Written, change: tuple[str, str], before: int
) -> None:
    # Days and hours would leave little to see in half an hour.
    written = replace(written, day=EVERY, month=EVERY, weekday=EVERY)
    start = datetime.fromisoformat(change[1]) - before * SECOND

    expected = looked_up(written, ZoneInfo(change[0]), start, SECOND)

    assert found(str(written), change[0], start, SECOND) == expected


@settings(max_examples=100, deadline=None)
@given(
    day=DAYS,
    month=MONTHS,
    weekday=WEEKDAYS,
    start=st.dates(datetime(2024, 1, 1).date(), datetime(2090, 1, 1).date()),  # noqa: DTZ001
)
def test_it_fires_on_the_days_that_a_look_at_every_day_says(
    day: Column, month: Column, weekday: Column, start: object
) -> None:
    noon = Column("12", lambda _: True)
    written = Written(None, Column("0", lambda _: True), noon, day, month, weekday)
    begin = datetime.fromisoformat(f"{start}T12:00")
    days = [begin + timedelta(days=n) for n in range(1, 500)]

    expected = [each.replace(tzinfo=UTC) for each in days if written.names(each)]
    answer = read(str(written), "UTC")

    if isinstance(answer, ConfigError):
        assert "never fires" in str(answer)
        assert expected == []
    else:
        end = days[-1].replace(tzinfo=UTC)
        assert fires_between(answer, begin.replace(tzinfo=UTC), end, 500) == expected


def test_the_last_day_beside_thirty_others_is_not_every_day() -> None:
    # croniter counts the members of the list and takes thirty-one of them for a star.
    schedule = read("0 12 L,2-31 * *", "UTC")
    assert isinstance(schedule, CronSchedule)

    times = fires_between(
        schedule,
        datetime(2024, 1, 31, 13, tzinfo=UTC),
        datetime(2024, 3, 1, 13, tzinfo=UTC),
        40,
    )

    assert [each.day for each in times] == list(range(2, 30))


@settings(max_examples=60, deadline=None)
@given(
    written=EXPRESSIONS,
    timezone=st.sampled_from([zone for zone, _ in CHANGES]),
    start=st.datetimes(
        datetime.fromisoformat("2020-01-01"),
        datetime.fromisoformat("2037-01-01"),
        timezones=st.just(UTC),
    ),
)
def test_fire_times_grow_strictly_and_do_not_depend_on_where_one_starts(
    written: Written, timezone: str, start: datetime
) -> None:
    schedule = read(str(written), timezone)
    assume(isinstance(schedule, CronSchedule))
    assert isinstance(schedule, CronSchedule)

    times = fires_between(schedule, start, start + timedelta(days=20000), 6)

    assert all(earlier < later for earlier, later in pairwise([start, *times]))
    for earlier, later in pairwise([start, *times]):
        assert schedule.next_after(earlier + (later - earlier) / 2) == later
        assert schedule.next_after(later - timedelta(microseconds=1)) == later


SIMPLE = st.lists(st.integers(1, 7), min_size=1, max_size=4).map(
    lambda numbers: Column(",".join(map(str, numbers)), lambda _: True)
)


@settings(max_examples=60, deadline=None)
@given(
    written=st.builds(
        Written,
        second=st.none(),
        minute=MINUTES,
        hour=HOURS,
        day=st.just(EVERY) | SIMPLE,
        weekday=st.just(EVERY) | SIMPLE,
    ),
    # cronsim is known to err around offset changes, so this stays where there are none; and it
    # reads "5-5/1" and "5/1" as every minute, and no list that ends with *.
    start=st.datetimes(datetime.fromisoformat("2026-01-01"), datetime.fromisoformat("2036-01-01")),
    timezone=st.sampled_from(["UTC", "Asia/Kolkata", "Asia/Kathmandu", "Pacific/Kiritimati"]),
)
def test_where_clocks_do_not_change_it_agrees_with_cronsim(
    written: Written, start: datetime, timezone: str
) -> None:
    assume(not any("/" in column.text.lstrip("*/") for column in written.times))
    instant = start.replace(tzinfo=ZoneInfo(timezone))
    other = CronSim(str(written), instant)
    schedule = parse_cron(str(written), timezone)

    expected = [next(other) for _ in range(5)]

    assert fires_between(schedule, instant, expected[-1], 10) == expected


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(
        st.text(max_size=40),
        st.lists(
            st.text(alphabet="0123456789*/,-?LW#HRh() monfrijandec", min_size=1, max_size=6),
            min_size=5,
            max_size=6,
        ).map(" ".join),
    )
)
def test_whatever_is_written_is_either_a_schedule_that_fires_or_one_sentence(text: str) -> None:
    start = datetime(2026, 5, 1, tzinfo=UTC)

    answer = read(text)

    if isinstance(answer, ConfigError):
        assert len(answer.problems) == 1
        assert str(answer).isprintable()
    else:
        following = answer.next_after(start)
        assert following is not None
        assert following > start
        assert answer.describe().isprintable()
