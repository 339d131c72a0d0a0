"""Instants as people type them."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, tzinfo

from syncd.errors import BadInput

_MICROSECOND = timedelta(microseconds=1)
_FIRST = datetime(1, 1, 2, tzinfo=UTC)


def parse_instant(text: str, zone: tzinfo | None) -> datetime:
    """Read an ISO 8601 date and time, in UTC; without an offset it is meant in `zone`.

    Args:
        text: what was typed.
        zone: None is this machine's own.

    Raises:
        BadInput: it is something else.
    """
    try:
        at = datetime.fromisoformat(text)
        if at.tzinfo is None:
            at = at.astimezone() if zone is None else at.replace(tzinfo=zone)
        return at.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise BadInput(
            f"{text[:40]!r} is no date and time",
            hint="write 2026-11-02, 2026-11-02T14:00 or 2026-11-02T14:00+05:30",
        ) from error


def parse_end(text: str, zone: tzinfo) -> datetime:
    """Read the end of a stretch of time; a bare date means the end of that day.

    Raises:
        BadInput: it is no instant.
    """
    day = _date(text)
    if day is None:
        return parse_instant(text, zone)
    return parse_instant(f"{day} {time.max}", zone)


def parse_start(text: str, zone: tzinfo) -> datetime:
    """Read what a stretch of time comes after; a bare date means that its first instant counts.

    Raises:
        BadInput: it is no instant.
    """
    at = parse_instant(text, zone)
    return at if _date(text) is None else max(at, _FIRST) - _MICROSECOND


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
