"""Fire times as people read them."""

from __future__ import annotations

from datetime import datetime

from syncd.schedule.cron import parse_cron


def fires(expression: str, timezone: str, after: str, count: int) -> list[str]:
    """Fire times after a local time with offset, written the same way."""
    schedule = parse_cron(expression, timezone, "a job")
    instant = datetime.fromisoformat(after)
    found = []
    for _ in range(count):
        following = schedule.next_after(instant)
        assert following is not None
        instant = following
        found.append(instant.astimezone(schedule.zone).isoformat(timespec="minutes"))
    return found
