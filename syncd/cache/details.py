"""What is kept about a user beside the boards: when the scores were told to have changed.

`user:details:{id}` holds JSON; one field of it is an instant. Only users who have such a key cost
anything, so this alone of the reading looks at users one by one.
"""

from __future__ import annotations

import json
import math
from asyncio import sleep
from collections.abc import Sequence
from datetime import UTC, datetime

from syncd.cache.lines import NULL
from syncd.cache.raw import RawConnection

# Details may be long: few of them are in memory at a time.
KEYS_AT_ONCE = 500
# Seconds reach this in the year 5138; milliseconds passed it in 1973.
LEAST_MILLISECONDS = 100_000_000_000


class Details:
    """The instants that are told of users.

    Args:
        prefix: of the keys, before the user's id.
        field: of the JSON object.
    """

    def __init__(self, line: RawConnection, prefix: str, field: str) -> None:
        self._line = line
        self._prefix = prefix.encode()
        self._field = field
        self.unreadable = 0

    async def told(self, users: Sequence[bytes]) -> list[bytes]:
        """Return the instant of each user for COPY, NULL where none is told.

        What is there but cannot be read counts as not told; `unreadable` says how many.
        """
        instants: list[bytes] = []
        for begin in range(0, len(users), KEYS_AT_ONCE):
            some = users[begin : begin + KEYS_AT_ONCE]
            values = await self._line.ask("MGET", *map(self._prefix.__add__, some))
            instants += [NULL if value is None else self._read(value) for value in values]
            await sleep(0)
        return instants

    def _read(self, value: bytes) -> bytes:
        try:
            instant = read_instant(json.loads(value), self._field)
        except (ValueError, TypeError, OverflowError, OSError, RecursionError):
            self.unreadable += 1
            return NULL
        return NULL if instant is None else instant.isoformat().encode()


def read_instant(details: object, field: str) -> datetime | None:
    """Return the instant in a field of some details, in UTC; None where it is not there or null.

    It may be ISO 8601 (without an offset: UTC) or seconds or milliseconds since 1970.

    Raises:
        ValueError, TypeError, OverflowError, OSError: it is something else.
    """
    if not isinstance(details, dict):
        raise TypeError("details are not a JSON object")
    told = details.get(field)
    if told is None:
        return None
    if isinstance(told, str) and not _is_number(told):
        instant = datetime.fromisoformat(told)
        return (instant if instant.tzinfo else instant.replace(tzinfo=UTC)).astimezone(UTC)
    if isinstance(told, bool) or not isinstance(told, str | int | float):
        raise TypeError("not an instant")
    seconds = float(told)
    if math.fabs(seconds) >= LEAST_MILLISECONDS:
        seconds /= 1000
    return datetime.fromtimestamp(seconds, UTC)


def _is_number(text: str) -> bool:
    """Tell whether a text is seconds or milliseconds; eight digits are a date."""
    digits = text.strip().lstrip("-")
    return len(digits) > len("20260101") and digits.replace(".", "", 1).isdecimal()
