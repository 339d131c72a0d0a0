"""Durations and rates, as people write them: "30s", "1h30m", "250ms"; "10/s", "5000/h"."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

_UNITS = {
    "d": timedelta(days=1),
    "h": timedelta(hours=1),
    "m": timedelta(minutes=1),
    "s": timedelta(seconds=1),
    "ms": timedelta(milliseconds=1),
}
# An instant that lies two of them ago is still one that can be written down.
_LONGEST = timedelta(days=36_500)
_DURATION = re.compile(
    r"(?:(?P<d>\d{1,15})d)?(?:(?P<h>\d{1,15})h)?(?:(?P<m>\d{1,15})m(?!s))?"
    r"(?:(?P<s>\d{1,15})s)?(?:(?P<ms>\d{1,15})ms)?",
    re.ASCII,
)
_PERIODS = {"d": 86_400, "h": 3_600, "min": 60, "s": 1}
_RATE = re.compile(r"(\d{1,9})\s?/\s?(\d{0,6})(s|min|h|d)", re.ASCII)


def parse_duration(text: str) -> timedelta:
    """Read a duration: whole numbers with units, the largest unit first.

    Raises:
        ValueError: the text is not a duration; the message does not repeat it.
    """
    match = _DURATION.fullmatch(text.strip())
    if match is None or not match.group():
        raise ValueError('must be a duration such as "30s", "5m", "1h30m" or "7d"')
    parts = match.groupdict(default="0")
    # Counted in milliseconds: a timedelta of a million years cannot be.
    milliseconds = sum(int(parts[unit]) * (size // _UNITS["ms"]) for unit, size in _UNITS.items())
    if milliseconds > _LONGEST // _UNITS["ms"]:
        raise ValueError(f"must be at most {format_duration(_LONGEST)}, a hundred years")
    return timedelta(milliseconds=milliseconds)


def format_duration(duration: timedelta) -> str:
    """Write a duration the way `parse_duration` reads it; less than a millisecond is cut off."""
    if duration < timedelta():
        return "-" + format_duration(-duration)
    text = ""
    for unit, size in _UNITS.items():
        count, duration = divmod(duration, size)
        text += f"{count}{unit}" if count else ""
    return text or "0s"


def _duration(value: Any) -> timedelta:
    if isinstance(value, timedelta):
        return value
    return parse_duration(value if isinstance(value, str) else "")


def _positive(value: timedelta) -> timedelta:
    if value <= timedelta():
        raise ValueError("must be longer than 0s")
    return value


Duration = Annotated[timedelta, BeforeValidator(_duration)]
"""A duration of zero or more."""

PositiveDuration = Annotated[Duration, AfterValidator(_positive)]
"""A duration longer than zero: a timeout, an interval."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """So many per so many seconds."""

    count: int
    seconds: int

    @property
    def per_second(self) -> float:
        """Return the rate per second."""
        return self.count / self.seconds

    def __str__(self) -> str:
        """Write the rate the way `parse_rate` reads it, in the largest unit that fits."""
        unit, size = next(
            (unit, size) for unit, size in _PERIODS.items() if self.seconds % size == 0
        )
        periods = self.seconds // size
        return f"{self.count}/{'' if periods == 1 else periods}{unit}"

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: type[Any], handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Let models read a rate from its text."""
        return core_schema.no_info_plain_validator_function(
            lambda value: value if isinstance(value, Rate) else parse_rate(str(value))
        )


def parse_rate(text: str) -> Rate:
    """Read a rate: "10/s", "30/min", "5000/h", "1/2s"; both numbers are positive.

    Raises:
        ValueError: the text is not a rate; the message does not repeat it.
    """
    match = _RATE.fullmatch(text.strip())
    if match is not None:
        count, periods, unit = match.groups()
        rate = Rate(count=int(count), seconds=int(periods or "1") * _PERIODS[unit])
        if rate.count > 0 and rate.seconds > 0:
            return rate
    raise ValueError('must be a rate such as "10/s", "30/min", "5000/h" or "1/2s"')
