"""Cron against a second opinion: a model that looks at every minute, and another library."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from cronsim import CronSim
from hypothesis import given, settings
from hypothesis import strategies as st

from syncd.errors import ConfigError
from syncd.schedule.cron import CronSchedule, parse_cron
from syncd.schedule.timetable import fires_between

MINUTE = timedelta(minutes=1)
CHANGES = [
    ("Europe/Berlin", "2026-03-29T01:00Z"),
    ("Europe/Berlin", "2026-10-25T01:00Z"),
    ("America/New_York", "2026-03-08T07:00Z"),
    ("America/New_York", "2026-11-01T06:00Z"),
    ("Australia/Lord_Howe", "2026-04-04T15:00Z"),
    ("Australia/Lord_Howe", "2026-10-03T15:30Z"),
    ("Pacific/Chatham", "2026-04-04T14:00Z"),
    ("Pacific/Chatham", "2026-09-26T14:00Z"),
    ("America/Santiago", "2026-04-05T03:00Z"),
    ("America/Santiago", "2026-09-06T04:00Z"),
    ("Antarctica/Troll", "2026-03-29T01:00Z"),
    ("Antarctica/Troll", "2026-10-25T01:00Z"),
    ("Europe/Dublin", "2026-03-29T01:00Z"),
    ("America/St_Johns", "2026-11-01T04:30Z"),
    ("Africa/Cairo", "2026-04-23T22:00Z"),
    ("Pacific/Apia", "2011-12-30T10:00Z"),
    ("Asia/Kolkata", "2026-03-29T01:00Z"),
]


def read(text: str) -> CronSchedule | ConfigError:
    try:
        return parse_cron(text, "Europe/Berlin", "a job")
    except ConfigError as refusal:
        return refusal


@dataclass(frozen=True)
class Column:
    """One field: how it is written, and the numbers that it means."""

    text: str
    values: frozenset[int]

    @property
    def is_star(self) -> bool:
        return self.text.startswith("*")


def columns(low: int, high: int) -> st.SearchStrategy[Column]:
    """Fields of every shape that a person might write."""
    numbers = st.integers(low, high)
    everything = frozenset(range(low, high + 1))

    def stepped(step: int) -> Column:
        return Column(f"*/{step}", frozenset(range(low, high + 1, step)))

    def ranged(ends: list[int], step: int) -> Column:
        first, last = min(ends), max(ends)
        return Column(f"{first}-{last}/{step}", frozenset(range(first, last + 1, step)))

    def listed(members: list[int]) -> Column:
        return Column(",".join(map(str, members)), frozenset(members))

    steps = st.integers(1, high + 3)
    return st.one_of(
        st.just(Column("*", everything)),
        steps.map(stepped),
        # Two different ends: cronsim reads "5-5/1" as every minute.
        st.builds(ranged, st.lists(numbers, min_size=2, max_size=2, unique=True), steps),
        st.lists(numbers, min_size=1, max_size=4).map(listed),
    )


@dataclass(frozen=True)
class Written:
    """An expression as its fields."""

    minute: Column
    hour: Column
    day: Column
    weekday: Column

    def __str__(self) -> str:
        return f"{self.minute.text} {self.hour.text} {self.day.text} * {self.weekday.text}"

    @property
    def is_fixed(self) -> bool:
        return not self.minute.is_star and not self.hour.is_star

    def names(self, wall: datetime) -> bool:
        """Tell whether a wall-clock minute is one of its own."""
        if wall.minute not in self.minute.values or wall.hour not in self.hour.values:
            return False
        day = wall.day in self.day.values
        weekday = wall.isoweekday() % 7 in self.weekday.values
        return day and weekday if self.day.is_star or self.weekday.is_star else day or weekday


ANY_DAY = Column("*", frozenset(range(32)))
WRITTEN = st.builds(
    Written,
    minute=columns(0, 59),
    hour=columns(0, 23),
    day=st.one_of(st.just(ANY_DAY), columns(1, 31)),
    weekday=st.one_of(st.just(ANY_DAY), columns(0, 6)),
)


def looked_up(written: Written, zone: ZoneInfo, start: datetime, minutes: int) -> list[datetime]:
    """Look at every minute after `start` as cron's main loop does."""
    found = []
    minute = start.replace(second=0, microsecond=0)
    before = minute.astimezone(zone)
    for _ in range(minutes):
        minute += MINUTE
        local = minute.astimezone(zone)
        if written.is_fixed:
            due = [] if local.fold else [*skipped(before, local), local.replace(tzinfo=None)]
        else:
            due = [local.replace(tzinfo=None)]
        if any(written.names(wall) for wall in due):
            found.append(minute)
        before = local
    return found


def skipped(before: datetime, local: datetime) -> list[datetime]:
    """Return the wall-clock minutes between two neighbours, unless the calendar jumps."""
    wall = before.replace(tzinfo=None) + MINUTE
    gap = (local.replace(tzinfo=None) - wall) // MINUTE
    return [wall + n * MINUTE for n in range(gap)] if gap <= 180 else []


@settings(max_examples=150, deadline=None)
@given(
    written=WRITTEN,
    change=st.sampled_from(CHANGES),
    before=st.integers(-60 * 4, 60 * 26),
    seconds=st.sampled_from([0, 1, 59, 59.999]),
)
def test_near_a_change_it_fires_as_a_look_at_every_minute_says(
    written: Written, change: tuple[str, str], before: int, seconds: float
) -> None:
    zone = ZoneInfo(change[0])
    start = datetime.fromisoformat(change[1]) - before * MINUTE + timedelta(seconds=seconds)
    schedule = parse_cron(str(written), change[0])

    expected = looked_up(written, zone, start, 36 * 60)
    end = start.replace(second=0, microsecond=0) + 36 * 60 * MINUTE

    assert fires_between(schedule, start, end, 36 * 60) == expected


@settings(max_examples=150, deadline=None)
@given(
    written=WRITTEN,
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
    schedule = parse_cron(str(written), timezone)

    times = fires_between(schedule, start, start + timedelta(days=20000), 6)

    assert all(earlier < later for earlier, later in pairwise([start, *times]))
    for earlier, later in pairwise([start, *times]):
        assert schedule.next_after(earlier + (later - earlier) / 2) == later
        assert schedule.next_after(later - timedelta(microseconds=1)) == later


@settings(max_examples=150, deadline=None)
@given(
    written=WRITTEN,
    # cronsim is known to err around offset changes, so this stays where there are none.
    start=st.datetimes(datetime.fromisoformat("2026-01-01"), datetime.fromisoformat("2036-01-01")),
    timezone=st.sampled_from(["UTC", "Asia/Kolkata", "Asia/Kathmandu", "Pacific/Kiritimati"]),
)
def test_where_clocks_do_not_change_it_agrees_with_cronsim(
    written: Written, start: datetime, timezone: str
) -> None:
    instant = start.replace(tzinfo=ZoneInfo(timezone))
    other = CronSim(str(written), instant)
    schedule = parse_cron(str(written), timezone)

    expected = [next(other) for _ in range(5)]

    assert fires_between(schedule, instant, expected[-1], 10) == expected


@settings(max_examples=400, deadline=None)
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
        assert answer.next_after(start) > start
