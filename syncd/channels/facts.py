"""What a template may name: the facts of a message, cleaned, in the reader's own time zone."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from syncd.channels.cleaning import cleaned, safe_url
from syncd.model.contest import Occasion
from syncd.model.notification import ContestNotice, Message

_LANGUAGE = re.compile(r"[a-z]{2,3}(-[a-z0-9]{2,8}){0,2}")
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_UNITS = (("day", 86_400), ("hour", 3_600), ("minute", 60))
_NAMES = {
    "atcoder": "AtCoder",
    "codechef": "CodeChef",
    "codeforces": "Codeforces",
    "geeksforgeeks": "GeeksforGeeks",
    "hackerrank": "HackerRank",
    "leetcode": "LeetCode",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ContestFacts:
    """A contest in a message.

    `starts`, `ends` and `previously` are instants in words, `previously` and `previously_at` are
    empty where the start did not move; `starts_in` is how long it is until the start, in words, and
    `minutes_left` the same as a number, 0 once it began. `url` may be empty.
    """

    name: str
    platform: str
    url: str
    starts: str
    starts_at: datetime
    starts_in: str
    minutes_left: int
    ends: str
    ends_at: datetime
    duration: str
    previously: str
    previously_at: datetime | None

    @classmethod
    def of(cls, notice: ContestNotice, zone: ZoneInfo, now: datetime) -> ContestFacts:
        """Return what is to be said of a contest to somebody who lives in `zone`."""
        before, left = notice.previous_starts_at, max(notice.starts_at - now, timedelta())
        platform = _NAMES.get(notice.platform) or cleaned(notice.platform)
        return cls(
            name=cleaned(notice.name) or f"a contest of {platform}",
            platform=platform,
            url=safe_url(notice.url),
            starts=instant_in_words(notice.starts_at, zone),
            starts_at=notice.starts_at.astimezone(zone),
            starts_in=f"in {_about(left)}" if left >= timedelta(minutes=1) else "now",
            minutes_left=int(left.total_seconds() // 60),
            ends=instant_in_words(notice.ends_at, zone),
            ends_at=notice.ends_at.astimezone(zone),
            duration=time_in_words(notice.ends_at - notice.starts_at),
            previously=instant_in_words(before, zone) if before else "",
            previously_at=before.astimezone(zone) if before else None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """A message as its templates see it; `contest` is the first of `contests`."""

    occasion: str
    channel: str
    contest: ContestFacts
    contests: Sequence[ContestFacts]
    lead_hours: int
    is_late: bool
    language: str
    timezone: str
    unsubscribe_url: str

    @classmethod
    def of(cls, message: Message, now: datetime) -> Facts:
        """Return what is to be said in a message that is written now."""
        zone = _zone(message.timezone)
        contests = [ContestFacts.of(notice, zone, now) for notice in message.contests]
        language = message.language.lower().replace("_", "-")
        return cls(
            occasion=message.occasion.value,
            channel=message.channel,
            contest=contests[0],
            contests=contests,
            lead_hours=message.lead_hours,
            is_late=message.is_late,
            language=language if _LANGUAGE.fullmatch(language) else "en",
            timezone=zone.key,
            unsubscribe_url=safe_url(message.unsubscribe_url),
        )

    def as_fields(self) -> dict[str, Any]:
        """Return the fields by their names."""
        return {each.name: getattr(self, each.name) for each in fields(self)}


FIELDS = tuple(each.name for each in fields(Facts))


def instant_in_words(instant: datetime, zone: ZoneInfo) -> str:
    """Write an instant as somebody in `zone` reads it off the clock, with the zone's name."""
    there = instant.astimezone(zone)
    day = f"{_DAYS[there.weekday()]} {there.day} {_MONTHS[there.month - 1]} {there.year}"
    short = there.tzname() or ""
    # Many zones have no letters of their own, only what lies between them and UTC.
    letters = f"{short}, {zone.key}" if short.isalpha() and short != zone.key else zone.key
    return f"{day}, {there:%H:%M} ({letters})"


def time_in_words(length: timedelta) -> str:
    """Write a length of time in its two largest units: `1 day 2 hours`, at least `1 minute`."""
    seconds = max(int(length.total_seconds()), 60)
    said: list[str] = []
    for unit, size in _UNITS:
        count, seconds = divmod(seconds, size)
        if count:
            said.append(f"{count} {unit}{'' if count == 1 else 's'}")
        elif said:
            break
    return " ".join(said[:2])


def _about(left: timedelta) -> str:
    """Write how long it is until something, as people say it: nobody counts minutes of a day."""
    step = timedelta(minutes=1 if left < timedelta(hours=1) else 5)
    return time_in_words(round(left / step) * step)


def samples(occasion: Occasion, now: datetime) -> Iterator[Facts]:
    """Yield messages of an occasion as different as they get, for looking at a template."""
    starts_at = now + timedelta(hours=3)
    notice = ContestNotice(
        platform="codeforces",
        name="Sample Round 1 (Div. 2)",
        url="https://codeforces.com/contests",
        starts_at=starts_at,
        ends_at=starts_at + timedelta(hours=2),
    )
    bare = replace(notice, url="", starts_at=now, ends_at=now)
    moved = replace(notice, previous_starts_at=now + timedelta(hours=5))
    message = Message(
        key="sample",
        occasion=occasion,
        channel="email",
        address="",
        contests=[moved],
        lead_hours=3,
        expires_at=starts_at,
        unsubscribe_url="https://syncd.example.org/unsubscribe?t=sample",
    )
    yield Facts.of(message, now)
    yield Facts.of(replace(message, contests=[bare], lead_hours=0, is_late=True), now)
    yield Facts.of(replace(message, contests=[notice, bare, moved], unsubscribe_url=""), now)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo(UTC.tzname(None))
