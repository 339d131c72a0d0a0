"""Instants as callers write them: ISO 8601, and only such as every part of syncd can bear."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BeforeValidator

_YEARS = (1970, 9999)


def read_instant(given: Any) -> datetime:
    """Return an instant in UTC; without an offset it is meant in UTC.

    Raises:
        ValueError: it is none, or lies outside the years 1970 to 9999.
    """
    return _in_utc(_read(given))


def _read_with_offset(given: Any) -> datetime:
    at = _read(given)
    if at.tzinfo is None:
        raise ValueError("needs an offset, such as Z or +05:30")
    return _in_utc(at)


def _read(given: Any) -> datetime:
    try:
        # Numbers are refused: what looks like a year would be taken for seconds.
        if isinstance(given, str) and not given.isdigit():
            return datetime.fromisoformat(given)
    except ValueError:
        pass
    raise ValueError("must be a date and time such as 2026-11-02T14:00Z")


def _in_utc(at: datetime) -> datetime:
    first, last = _YEARS
    try:
        instant = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
        if first <= instant.year <= last:
            return instant
    except OverflowError:
        pass
    raise ValueError(f"must be a date and time of the years {first} to {last} in UTC")


Instant = Annotated[datetime, BeforeValidator(read_instant)]
"""An instant in UTC; what is written without an offset is taken as UTC."""

OffsetInstant = Annotated[datetime, BeforeValidator(_read_with_offset)]
"""An instant in UTC that must be written with its offset: a person may mean another clock."""
