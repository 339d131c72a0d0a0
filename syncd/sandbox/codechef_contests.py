"""CodeChef's list of contests, in the shape recorded in 2024."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

from syncd.sandbox.calendar import Calendar, Event

LAST = 20
INDIA = timezone(timedelta(hours=5, minutes=30))
SKILL_TEST = {
    "contest_code": "LPYAS",
    "contest_name": "Python Skill test",
    "contest_start_date": "27 Mar 2024  15:00:00",
    "contest_end_date": "01 Jan 2027  01:30:00",
    "contest_start_date_iso": "2024-03-27T15:00:00+05:30",
    "contest_end_date_iso": "2027-01-01T01:30:00+05:30",
    "contest_duration": "90",
    "distinct_users": 17_000,
}


def listed_here(calendar: Calendar) -> Sequence[Event]:
    """Return what is told of contests that end some day."""
    return [*calendar.running(), *calendar.to_come(), *calendar.over()[:LAST]]


def contest_list(calendar: Calendar) -> dict[str, Any]:
    """Return the list: of what is over the last twenty."""
    return {
        "status": "success",
        "message": "All contests list",
        "present_contests": [*map(_told, calendar.running())],
        "future_contests": [*map(_told, calendar.to_come())],
        "practice_contests": [],
        "past_contests": [*map(_told, calendar.over()[:LAST])],
        "skill_tests": [SKILL_TEST],
        "banners": [{"image": "1.png", "link": "https://www.codechef.com/learn"}],
    }


def _told(event: Event) -> dict[str, Any]:
    assert event.starts_at is not None, "what has no start is not listed"
    start, end = event.starts_at.astimezone(INDIA), event.ends_at.astimezone(INDIA)
    return {
        "contest_id": str(sum(event.id.encode())),
        "contest_code": event.id,
        "contest_name": event.name,
        "contest_start_date": _for_people(start),
        "contest_end_date": _for_people(end),
        "contest_start_date_iso": start.isoformat(),
        "contest_end_date_iso": end.isoformat(),
        "contest_duration": str(event.seconds // 60),
        "distinct_users": 0,
    }


def _for_people(instant: datetime) -> str:
    return f"{instant:%d %b %Y  %H:%M:%S}"
