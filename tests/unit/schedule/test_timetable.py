from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from syncd.errors import ConfigError
from syncd.schedule.cron import parse_cron
from syncd.schedule.timetable import Every, Manual, Timetable, fires_between

ANCHOR = datetime(2026, 5, 1, 10, 7, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("instant", "fire_time"),
    [
        (ANCHOR, ANCHOR + HOUR),
        (ANCHOR + timedelta(minutes=59, seconds=59, microseconds=999_999), ANCHOR + HOUR),
        (ANCHOR + HOUR, ANCHOR + 2 * HOUR),
        (ANCHOR + 1000.5 * HOUR, ANCHOR + 1001 * HOUR),
        (ANCHOR - timedelta(microseconds=1), ANCHOR),
        (ANCHOR - 2.5 * HOUR, ANCHOR - 2 * HOUR),
    ],
)
def test_an_interval_fires_whole_intervals_from_its_anchor(
    instant: datetime, fire_time: datetime
) -> None:
    assert Every(interval=HOUR, anchor=ANCHOR).next_after(instant) == fire_time


def test_an_interval_longer_than_the_calendar_fires_at_its_anchor_only() -> None:
    rare = Every(interval=timedelta(days=999_999_999), anchor=ANCHOR)

    assert rare.next_after(ANCHOR - HOUR) == ANCHOR
    assert rare.next_after(ANCHOR) is None


@pytest.mark.parametrize("interval", [timedelta(0), timedelta(seconds=-5)])
def test_an_interval_that_does_not_go_forward_is_refused(interval: timedelta) -> None:
    with pytest.raises(ConfigError, match="does not go forward"):
        Every(interval=interval, anchor=ANCHOR)


@pytest.mark.parametrize(
    ("timetable", "words"),
    [
        (Every(interval=timedelta(minutes=90), anchor=ANCHOR), "every 1h30m"),
        (Every(interval=timedelta(days=7), anchor=ANCHOR), "every 7d"),
        (Every(interval=timedelta(seconds=2.5), anchor=ANCHOR), "every 2.5s"),
        (Manual(), "when triggered"),
        (parse_cron("0  2 * * MON", "Asia/Kolkata"), "every Monday at 02:00 Asia/Kolkata"),
    ],
)
def test_a_timetable_says_when_it_fires(timetable: Timetable, words: str) -> None:
    assert timetable.describe() == words


def test_a_job_without_schedule_never_fires() -> None:
    manual = Manual()

    assert manual.next_after(ANCHOR) is None
    assert manual.explain(ANCHOR) == ""
    assert fires_between(manual, ANCHOR, ANCHOR + 100 * HOUR, 10) == []


def test_an_interval_has_nothing_to_explain() -> None:
    assert Every(interval=HOUR, anchor=ANCHOR).explain(ANCHOR + HOUR) == ""


def test_fires_between_two_instants_leave_out_the_first_and_include_the_last() -> None:
    hourly = parse_cron("0 * * * *", "UTC")
    noon = datetime(2026, 5, 1, 12, tzinfo=UTC)

    assert fires_between(hourly, noon, noon + 3 * HOUR, 10) == [
        noon + HOUR,
        noon + 2 * HOUR,
        noon + 3 * HOUR,
    ]


def test_fires_between_two_instants_stop_at_the_limit() -> None:
    hourly = Every(interval=HOUR, anchor=ANCHOR)

    assert fires_between(hourly, ANCHOR, ANCHOR + 100 * HOUR, 2) == [
        ANCHOR + HOUR,
        ANCHOR + 2 * HOUR,
    ]


def test_equal_timetables_are_one_key() -> None:
    timetables = {
        parse_cron("0 2 * * mon", "UTC"): 1,
        parse_cron("00 2 * * 1-1", "UTC", "a job"): 2,
        parse_cron("0 2 * * 1", "Europe/Berlin"): 3,
        Every(interval=HOUR, anchor=ANCHOR): 4,
        Every(interval=timedelta(minutes=60), anchor=ANCHOR): 5,
        Manual(): 6,
    }

    assert list(timetables.values()) == [2, 3, 5, 6]
