"""From the rows of a list of contests to contests: one that cannot be read costs no other.

What every source needs the same: instants that can be, names that can be stored, ids that can
stand in an address, and a sentence about each row of which nothing can be said. A list may be long:
platforms map it in a thread of its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from syncd.errors import BadPayload
from syncd.model.contest import Contest, ContestList
from syncd.platforms.shape import Shape

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"

_EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
_LATEST = datetime(2100, 1, 1, tzinfo=UTC)
# What platforms make their ids of; dots alone cannot stand in an address.
_ID = re.compile(r"(?=.*[A-Za-z0-9])[A-Za-z0-9_.-]{1,100}")
# A division of a CodeChef round goes by the code of the round and a letter.
_DIVISION = re.compile(r"(START[0-9]+)[A-E]")
_UNFIT = re.compile("[\0\ud800-\udfff]")

Row = tuple[str, Any]
"""Where something stands in an answer, and what should be an object there."""


def collect(
    source: str, rows: Sequence[Row], read: Callable[[Shape], Contest | None], *, is_whole: bool
) -> ContestList:
    """Read each row; what is told of one contest twice is told by the row that comes first.

    Args:
        source: who told, as errors name it.
        rows: what may be contests.
        read: makes one of a row, None where it is not to be told of; raises BadPayload.
        is_whole: as of `ContestList`.

    Raises:
        BadPayload: there are rows, and none of them can be read; says why the first cannot.
    """
    contests: dict[tuple[str, str], Contest] = {}
    unread: list[str] = []
    for path, row in rows:
        try:
            contest = read(Shape(row, source, path))
        except BadPayload as error:
            unread.append(str(error))
            continue
        if contest is not None:
            contests.setdefault((contest.platform, contest.joint_id), contest)
    if rows and len(unread) == len(rows):
        raise BadPayload(f"none of {len(rows)} rows can be read; {unread[0]}")
    return ContestList(
        source=source, contests=[*contests.values()], is_whole=is_whole, unread=unread
    )


def rows_in(data: Shape, key: str) -> list[Row]:
    """Return the rows of a list that must be there.

    Raises:
        BadPayload: it is not there, or no list.
    """
    rows = data.data.get(key)
    if not isinstance(rows, list):
        raise data.wrong(key, "list")
    return [(f"{data.path}.{key}[{place}]", row) for place, row in enumerate(rows)]


def id_in(row: Shape, key: str) -> str:
    """Return an id that can stand in an address."""
    text = row.needed_text(key)
    if not _ID.fullmatch(text):
        raise row.wrong(key, "id")
    return text


def joint_id(platform: str, contest: str) -> str:
    """Return what the ids of one contest have in common, however the platform lists it."""
    division = _DIVISION.fullmatch(contest) if platform == "codechef" else None
    return division[1] if division else contest


def name_in(row: Shape, key: str) -> str:
    """Return a name as it is told, but for what no text in PostgreSQL can hold."""
    return storable(row.needed_text(key))


def unix_time_in(row: Shape, key: str) -> datetime:
    """Return an instant that is told in seconds of Unix time."""
    seconds = row.needed_count(key)
    if not _EARLIEST.timestamp() <= seconds < _LATEST.timestamp():
        raise row.wrong(key, "time between 1990 and 2100")
    return datetime.fromtimestamp(seconds, UTC)


def iso_time_in(row: Shape, key: str, *, is_utc: bool = False) -> datetime:
    """Return an instant that is told in ISO 8601; `is_utc`: without a zone, which is UTC."""
    try:
        instant = datetime.fromisoformat(row.needed_text(key))
        if is_utc and instant.tzinfo is None:
            instant = instant.replace(tzinfo=UTC)
        # An aware one at the end of all time has no counterpart in UTC.
        is_known = instant.tzinfo is not None and _EARLIEST <= instant < _LATEST
    except (ValueError, OverflowError):
        is_known = False
    if not is_known:
        raise row.wrong(key, "time between 1990 and 2100, with its zone")
    return instant.astimezone(UTC)


def end_after(row: Shape, key: str, starts_at: datetime, seconds: int) -> datetime:
    """Return the end of what begins at an instant and takes so many seconds, as `key` says."""
    if seconds > (_LATEST - starts_at).total_seconds():
        raise row.wrong(key, "duration")
    return starts_at + timedelta(seconds=seconds)


def raw_of(row: Shape, *, without: Collection[str] = ()) -> Mapping[str, Any]:
    """Return a row as it is kept: without what changes while nothing happens."""
    return {
        storable(key): storable_within(value)
        for key, value in row.data.items()
        if key not in without
    }


def storable_within(value: Any) -> Any:
    """Return a value of JSON with every text in it made storable."""
    if value is None or isinstance(value, int | float):
        return value
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, list):
        return [*map(storable_within, value)]
    return {storable(key): storable_within(inner) for key, inner in value.items()}


def storable(text: str) -> str:
    """Return a text without what none in PostgreSQL can hold: NUL, half a surrogate pair."""
    return text if text.isascii() and "\0" not in text else _UNFIT.sub(REPLACEMENT, text)
