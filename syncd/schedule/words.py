"""Canonical cron expressions in words: `every day at 00:00 Asia/Kolkata`.

Two expressions that name different times never get the same words.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Final

_MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_WEEKDAYS: Final = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_PLACES: Final = ("first", "second", "third", "fourth", "fifth")
_MOST_CLOCK_TIMES: Final = 6
_STEP: Final = re.compile(r"\*/(?P<step>\d+)")
_PART: Final = re.compile(r"(?P<low>\d+|\*)(-(?P<high>\d+))?(/(?P<step>\d+))?")


def in_words(expression: str, timezone: str) -> str:
    """Say when a canonical expression without `H` fires."""
    *times, day, month, weekday = expression.split(" ")
    second, minute, hour = times if len(times) == 3 else ("0", *times)
    units = (
        _Unit("second", second, 60),
        _Unit("minute", minute, 60),
        _Unit("hour", hour, 24),
    )
    days = _days(day, month, weekday)
    if clock := _clock_times(units):
        return f"{days} at {_listed(clock)} {timezone}"
    rate = _rate(units)
    if days != "every day":
        return f"{rate}, {days} {timezone}"
    return rate if units[2].is_all and not units[1].is_spot else f"{rate} {timezone}"


class _Unit:
    """Seconds, minutes or hours: the numbers that its field takes."""

    def __init__(self, name: str, column: str, size: int) -> None:
        self.name = name
        self.size = size
        self.values = _values(column, 0, size - 1)
        self.is_all = len(self.values) == size

    @property
    def step(self) -> int:
        """Return every how many of it the field fires, evenly all the time; 0 if it does not."""
        step = self.size // len(self.values)
        return step if self.values == list(range(0, self.size, step)) and step < self.size else 0

    @property
    def is_spot(self) -> bool:
        """Tell whether the field names single numbers."""
        return not self.step

    @property
    def numbers(self) -> str:
        """Name the numbers: `minutes 5 and 20`."""
        plural = "s" if len(self.values) > 1 else ""
        return f"{self.name}{plural} {_listed(_runs(self.values, str, '-'))}"

    @property
    def window(self) -> str:
        """Say within which of them something smaller fires."""
        if self.step:
            return f" in every {_ordinal(self.step)} {self.name}"
        if self.name == "hour" and self.is_run:
            return f" from {self.values[0]:02}:00 to {self.values[-1]:02}:59"
        return f" in {self.numbers}"

    @property
    def is_run(self) -> bool:
        """Tell whether the numbers follow one another without a hole."""
        return self.values[-1] - self.values[0] == len(self.values) - 1


def _clock_times(units: Sequence[_Unit]) -> list[str]:
    """List the times of the day, if they are few and no more than numbers."""
    second, minute, hour = units
    if any(unit.is_all for unit in units):
        return []
    found = itertools.product(hour.values, minute.values, second.values)
    shown = [f"{h:02}:{m:02}" + (f":{s:02}" if s else "") for h, m, s in found]
    is_even = hour.step or minute.step or second.step
    return [] if is_even or len(shown) > _MOST_CLOCK_TIMES else shown


def _rate(units: Sequence[_Unit]) -> str:
    """Say how often it fires: the smallest even step, its spots within it, its windows around."""
    place = next((n for n, unit in enumerate(units) if unit.step), len(units))
    words = []
    if place < len(units):
        unit = units[place]
        words.append(f"every {unit.name}" if unit.is_all else f"every {unit.step} {unit.name}s")
    elif units[2].is_run:
        words.append("every hour")
    spots = [unit for unit in units[: min(place, 2)] if unit.values != [0]]
    if spots or not words:
        named = [unit.numbers for unit in reversed(spots or units[1:2])]
        words.append("at " + " and ".join(named))
    around = units[2:] if place == len(units) else units[place + 1 :]
    windows = "".join(unit.window for unit in around if not unit.is_all)
    return " ".join(words) + windows


def _days(day: str, month: str, weekday: str) -> str:
    """Say on which days."""
    months = _runs(_values(month, 1, 12), lambda number: _MONTHS[number - 1], " to ")
    is_whole_year = len(_values(month, 1, 12)) == 12
    whole = "the month" if is_whole_year else _listed(months)
    within = "" if is_whole_year else f" in {_listed(months)}"
    dates = _dates(day, whole)
    names = _names(weekday, whole, within)
    if day == "*" and weekday == "*":
        return f"every day{within}"
    if day == "*" or weekday == "*":
        return names if day == "*" else dates
    is_both = day.startswith("*") or weekday.startswith("*")
    return f"{names}, only {dates}" if is_both else f"{dates} or {names}"


def _dates(column: str, whole: str) -> str:
    """Name days of the month."""
    plain, special = _apart(column)
    if match := _STEP.fullmatch(column):
        return f"on every {_ordinal(int(match['step']))} day of {whole} from the 1st"
    named = _runs(_values(plain, 1, 31), _ordinal, " to ") if plain else []
    named += [
        "last day" if part == "l" else f"weekday nearest the {_ordinal(int(part[:-1]))}"
        for part in special
    ]
    return f"on the {_listed(named)} of {whole}"


def _names(column: str, whole: str, within: str) -> str:
    """Name weekdays."""
    plain, special = _apart(column)
    days = sorted({number % 7 for number in _values(plain, 0, 7)}) if plain else []
    # A week reads best from Monday on.
    from_monday = sorted(days, key=lambda number: (number - 1) % 7)
    week = [(number - 1) % 7 for number in from_monday]
    named = _runs(week, lambda number: _WEEKDAYS[(number + 1) % 7], " to ")
    said = [f"every {_listed(named)}{within}"] if named else []
    for part in special:
        place = "last" if part.startswith("l") else _PLACES[int(part[-1]) - 1]
        number = int(part[1:] if part.startswith("l") else part[0])
        said.append(f"on the {place} {_WEEKDAYS[number]} of {whole}")
    return _listed(said)


def _apart(column: str) -> tuple[str, list[str]]:
    """Tell the plain members of a list from the others."""
    parts = column.split(",")
    plain = [part for part in parts if _PART.fullmatch(part)]
    return ",".join(plain), [part for part in dict.fromkeys(parts) if part not in plain]


def _values(column: str, low: int, high: int) -> list[int]:
    """List the numbers of a field whose members are plain, in order."""
    found: set[int] = set()
    for part in column.split(","):
        match = _PART.fullmatch(part)
        assert match is not None  # canonical, and plain
        first = low if match["low"] == "*" else int(match["low"])
        is_open = match["low"] == "*" or (match["step"] and not match["high"])
        last = high if is_open else int(match["high"] or first)
        found.update(range(first, last + 1, int(match["step"] or 1)))
    return sorted(found)


def _runs(numbers: Sequence[int], name: Callable[[int], str], to: str) -> list[str]:
    """Name numbers, three or more in a row as a range."""
    found: list[str] = []
    for _, group in itertools.groupby(enumerate(numbers), lambda pair: pair[1] - pair[0]):
        run = [name(number) for _, number in group]
        found += [f"{run[0]}{to}{run[-1]}"] if len(run) > 2 else run
    return found


def _ordinal(number: int) -> str:
    """Write 1st, 2nd, 3rd, 4th."""
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10 if number not in {11, 12, 13} else 0, "th")
    return f"{number}{ending}"


def _listed(words: Iterable[str]) -> str:
    """Join words: `a, b and c`."""
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last
