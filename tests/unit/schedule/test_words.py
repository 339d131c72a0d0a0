from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest

from syncd.schedule.cron import parse_cron
from syncd.schedule.timetable import fires_between


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("0 0 * * *", "every day at 00:00 Asia/Kolkata"),
        ("25 17 * * *", "every day at 17:25 Asia/Kolkata"),
        ("*/15 * * * *", "every 15 minutes"),
        ("* * * * *", "every minute"),
        ("*/10 * * * * *", "every 10 seconds"),
        ("* * * * * *", "every second"),
        ("30 * * * * *", "every minute at second 30"),
        ("@hourly", "every hour Asia/Kolkata"),
        ("30 * * * *", "every hour at minute 30 Asia/Kolkata"),
        ("0 */6 * * *", "every 6 hours Asia/Kolkata"),
        ("15 */2 * * *", "every 2 hours at minute 15 Asia/Kolkata"),
        # A step that does not divide the hour starts again in every hour.
        ("*/25 * * * *", "every hour at minutes 0, 25 and 50 Asia/Kolkata"),
        ("5/20 * * * *", "every hour at minutes 5, 25 and 45 Asia/Kolkata"),
        ("*/15 2 * * *", "every 15 minutes from 02:00 to 02:59 Asia/Kolkata"),
        ("0 9-17 * * *", "every hour from 09:00 to 17:59 Asia/Kolkata"),
        ("*/10 */2 * * * *", "every 10 seconds in every 2nd minute"),
        ("0,30 8-18/2 * * *", "every 30 minutes in hours 8, 10, 12, 14, 16 and 18 Asia/Kolkata"),
        ("15,45 2 * * *", "every day at 02:15 and 02:45 Asia/Kolkata"),
        ("15 30 2 * * *", "every day at 02:30:15 Asia/Kolkata"),
        ("0 18 * * 5L", "on the last Friday of the month at 18:00 Asia/Kolkata"),
        ("0 18 * * fri#2", "on the second Friday of the month at 18:00 Asia/Kolkata"),
        ("0 0 L * *", "on the last day of the month at 00:00 Asia/Kolkata"),
        ("0 9 15W * *", "on the weekday nearest the 15th of the month at 09:00 Asia/Kolkata"),
        ("0 0 1,15 * *", "on the 1st and 15th of the month at 00:00 Asia/Kolkata"),
        ("0 0 1-7 * *", "on the 1st to 7th of the month at 00:00 Asia/Kolkata"),
        ("0 0 29 2 *", "on the 29th of February at 00:00 Asia/Kolkata"),
        ("0 22 * * 1-5", "every Monday to Friday at 22:00 Asia/Kolkata"),
        ("0 0 * * 0,6", "every Saturday and Sunday at 00:00 Asia/Kolkata"),
        ("0 0 * jan,jul mon", "every Monday in January and July at 00:00 Asia/Kolkata"),
        ("0 0 13 * 5", "on the 13th of the month or every Friday at 00:00 Asia/Kolkata"),
        (
            "0 0 */2 * 1",
            "every Monday, only on every 2nd day of the month from the 1st at 00:00 Asia/Kolkata",
        ),
        ("*/15 * * * 1", "every 15 minutes, every Monday Asia/Kolkata"),
    ],
)
def test_a_schedule_is_said_in_words(expression: str, words: str) -> None:
    assert parse_cron(expression, "Asia/Kolkata").describe() == words


def test_what_a_hash_stands_for_is_said() -> None:
    schedule = parse_cron("H H(2-2) * * *", "UTC", "a job")
    first = schedule.next_after(datetime(2026, 5, 1, tzinfo=UTC))

    assert schedule.describe() == f"every day at {first:%H:%M} UTC"


TIMES = itertools.product(
    ["", "0 ", "30 ", "*/2 ", "* "],
    ["0", "30", "*", "*/2", "0-59", "0,30", "*/30", "0/30", "*/60", "*/25", "0-29"],
    ["*", "0", "*/12", "0,12", "0-23", "9-17", "*/5", "*/24", "1-5/4"],
)
DAYS = itertools.product(
    ["*", "1", "*/2", "1-31", "1-31/2", "L", "1,L", "15W,L", "3,*"],
    ["*", "1-12", "1,7"],
    ["*", "1", "1-5", "0-7", "*/2", "5#2", "L5", "1,5#2", "5L,5#2", "7"],
)


@pytest.mark.parametrize(
    "expressions",
    [
        [f"{second}{minute} {hour} * * *" for second, minute, hour in TIMES],
        [f"0 12 {day} {month} {weekday}" for day, month, weekday in DAYS],
    ],
    ids=["times", "days"],
)
def test_schedules_of_the_same_words_fire_alike(expressions: list[str]) -> None:
    start = datetime(2026, 5, 1, tzinfo=UTC)
    known: dict[str, list[datetime]] = {}

    for expression in expressions:
        schedule = parse_cron(expression, "UTC")
        times = fires_between(schedule, start, start + timedelta(days=9000), 15)
        assert known.setdefault(schedule.describe(), times) == times, expression

    assert len(known) > 100
