from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.schedule.cron import parse_cron
from syncd.schedule.timetable import Every, Manual, Timetable, fires_between, latest_between

AT = datetime(2026, 3, 1, tzinfo=UTC)
EVERY_HOUR = Every(interval=timedelta(hours=1), anchor=AT)


class Counting:
    """A timetable that counts how often it is asked."""

    def __init__(self, timetable: Timetable) -> None:
        self.timetable = timetable
        self.questions = 0

    def next_after(self, instant: datetime) -> datetime | None:
        self.questions += 1
        return self.timetable.next_after(instant)

    def explain(self, fire_time: datetime, /) -> str:
        return ""

    def describe(self) -> str:
        return ""


def test_without_a_fire_time_in_between_there_is_no_latest() -> None:
    assert latest_between(EVERY_HOUR, AT, AT + timedelta(minutes=59)) is None
    assert latest_between(Manual(), AT, AT + timedelta(days=1)) is None


def test_the_end_counts_and_the_start_does_not() -> None:
    end = AT + timedelta(hours=1)

    assert latest_between(EVERY_HOUR, AT, end) == end
    assert latest_between(EVERY_HOUR, end, end) is None


@pytest.mark.parametrize("expression", ["* * * * * *", "* * 0 * * *", "0 3 29 2 *", "@hourly"])
def test_years_of_downtime_cost_a_handful_of_questions(expression: str) -> None:
    timetable = Counting(parse_cron(expression, "Europe/Berlin", "sync"))
    end = AT + timedelta(days=3650)

    latest = latest_between(timetable, AT, end)

    assert latest is not None
    following = timetable.timetable.next_after(latest)
    assert following is None or following > end
    assert timetable.questions < 60


@given(
    start=st.integers(0, 10_000),
    span=st.integers(0, 20_000),
    expression=st.sampled_from(["*/7 * * * *", "3 * * * *", "0 2 * * *", "*/5 8-10 * * 1"]),
)
def test_the_latest_is_the_last_of_them_all(start: int, span: int, expression: str) -> None:
    timetable = parse_cron(expression, "Europe/Berlin", "sync")
    begin = AT + timedelta(minutes=start)
    end = begin + timedelta(minutes=span)

    fires = fires_between(timetable, begin, end, 10_000)

    assert latest_between(timetable, begin, end) == (fires[-1] if fires else None)
