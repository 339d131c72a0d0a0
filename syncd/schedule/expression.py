"""The cron language: what a person may write, and the one numeric spelling of it.

croniter reads more than people mean (`9-9` as every hour, `22-2` across midnight, seconds last), so
an expression reaches it only in the spelling made here. It also knows no lists of W, and forgets
the day of the month beside a `#`, so it is asked about one kind of day at a time.
"""

from __future__ import annotations

import difflib
import itertools
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, NoReturn

from syncd.errors import ConfigError

LONGEST: Final = 256
"""Characters an expression may have."""
_SHOWN: Final = 60

_NICKNAMES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "@hourly": "0 * * * *",
        "@daily": "0 0 * * *",
        "@midnight": "0 0 * * *",
        "@weekly": "0 0 * * 0",
        "@monthly": "0 0 1 * *",
        "@yearly": "0 0 1 1 *",
        "@annually": "0 0 1 1 *",
    }
)
_ELSEWHERE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "@every": 'write every = "5m" instead of a schedule',
        "@reboot": "write run_on_start = true instead of a schedule",
    }
)
_MONTHS: Final = (
    *("jan", "feb", "mar", "apr", "may", "jun"),
    *("jul", "aug", "sep", "oct", "nov", "dec"),
)
_WEEKDAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")

_STAR: Final = re.compile(r"\*(/(?P<step>\d+))?", re.ASCII)
_HASH: Final = re.compile(r"h(\((?P<low>\w+)-(?P<high>\w+)\))?(/(?P<step>\d+))?", re.ASCII)
_SPAN: Final = re.compile(r"(?P<low>\w+)(-(?P<high>\w+))?(/(?P<step>\d+))?", re.ASCII)
_RANDOM: Final = re.compile(r"r([(/].*)?", re.ASCII)
_NEAREST: Final = re.compile(r"w(?P<after>\d+)|(?P<before>\d+)w", re.ASCII)
_LAST: Final = re.compile(r"l(?P<after>\w+)|(?P<before>\w+)l", re.ASCII)
_NTH: Final = re.compile(r"(?P<day>\w+)#(?P<nth>\d+)", re.ASCII)


def canonical(expression: str) -> str:
    """Spell an expression in digits and single spaces, seconds first where there are six fields.

    Expressions that are spelled alike mean the same. A field starts with `*` exactly where the
    original did (or was `?`): that decides what happens when the clocks change.

    Raises:
        ConfigError: one sentence with what is wrong and how to mend it.
    """
    try:
        if len(expression) > LONGEST:
            _refuse(f"it has {len(expression)} characters, write at most {LONGEST}")
        return _spell(expression.lower().split())
    except ConfigError as exc:
        raise ConfigError(f"schedule {quoted(expression)}: {exc}") from None


def alternatives(spelled: str) -> list[str]:
    """Split a canonical expression: it fires when one of these does, each with simple days.

    In each of them both day fields must match. Where neither starts with `*` one of them is enough
    (cron's own rule), so they become alternatives; and so do the members of a list that croniter
    does not take together.
    """
    *times, day, month, weekday = spelled.split(" ")
    # Beside thirty numbers croniter takes the last day for the thirty-first: all of them.
    days = _groups(day, lambda part: part if "w" in part or part.startswith("l") else "")
    weekdays = _groups(weekday, lambda part: "special" if "#" in part or "l" in part else "")
    if day.startswith("*") or weekday.startswith("*"):
        pairs = list(itertools.product(days, weekdays))
    else:
        pairs = [(each, "*") for each in days] + [("*", each) for each in weekdays]
    return [" ".join([*times, each, month, other]) for each, other in pairs]


def open_steps(spelled: str) -> list[str]:
    """List what steps from a number to the end of its field, as `5/20` does."""
    return re.findall(r"(?<![^ ,])\d+/\d+(?![^ ,])", spelled)


def quoted(text: str) -> str:
    """Repeat what a person wrote: on one line, and not all of it if it is long."""
    return json.dumps(text if len(text) <= _SHOWN else text[: _SHOWN // 2] + "...")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Field:
    """One column: the numbers it takes, and the names that stand for `base` and what follows."""

    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()
    base: int = 0

    def spell(self, column: str) -> str:
        """Spell the whole column."""
        parts = [self.spell_part(part) for part in column.split(",")]
        if "*" in parts:
            # What the list begins with decides what happens when the clocks change.
            return "*" if column.startswith("*") else f"{self.low}-{self.high}"
        return ",".join(parts)

    def spell_part(self, part: str) -> str:
        """Spell one member of a list."""
        if _RANDOM.fullmatch(part):
            _refuse(f'"R" picks another {self.name} at every start, write "H" for a steady one')
        match = _STAR.fullmatch(part) or _HASH.fullmatch(part) or _SPAN.fullmatch(part)
        if match is None:
            self._refuse_part(part)
        found = match.groupdict()
        step = _step(found["step"], part)
        if part.startswith("*"):
            return f"*{step}"
        if found["low"] is None:
            return f"h{step}"
        if found["high"] is None:
            return f"{self.number(found['low'])}{step}"
        span = self._span(found["low"], found["high"])
        if "-" not in span:
            return span  # a step goes nowhere
        return f"h({span}){step}" if match.re is _HASH else f"{span}{step}"

    def _span(self, low: str, high: str) -> str:
        """Spell a range; one of equal ends is a single value."""
        first, last = self.number(low), self.number(high)
        if first > last:
            _refuse(
                f'the {self.name} range "{low}-{high}" runs backwards, '
                f'write "{self._forwards(first, last)}"'
            )
        return _join(first, last)

    def _forwards(self, first: int, last: int) -> str:
        """Spell a range that runs on into the next round."""
        return f"{_join(first, self.high)},{_join(self.low, last)}"

    def number(self, text: str) -> int:
        """Return the number that a value stands for."""
        if text in self.names:
            return self.names.index(text) + self.base
        if not text.isdigit():
            self._refuse_part(text)
        if not self.low <= int(text) <= self.high:
            _refuse(f"{self.name} {text[:9]} is out of range, write {self.low}-{self.high}")
        return int(text)

    def _refuse_part(self, part: str) -> NoReturn:
        """Say that a member cannot be read, with the name that was probably meant."""
        near = difflib.get_close_matches(part, self.names, n=1)
        names = f" or {self.names[0]}-{self.names[-1]}" if self.names else ""
        mend = f'did you mean "{near[0]}"?' if near else f"write {self.low}-{self.high}{names}"
        _refuse(f"{self.name} {quoted(part)} cannot be read, {mend}")


class _DayField(_Field):
    """The day of the month: also L (the last) and 15W (the weekday nearest to the 15th)."""

    __slots__ = ()

    def spell_part(self, part: str) -> str:
        """Spell one member of a list."""
        if part == "h":
            return "h(1-28)"  # a day that every month has
        if part == "l":
            return part
        if part == "lw":
            _refuse('the last weekday is written "31W" here, not "LW"')
        if match := _NEAREST.fullmatch(part):
            return f"{self.number(match['after'] or match['before'])}w"
        return super().spell_part(part)


class _WeekdayField(_Field):
    """The day of the week: also 5#2 (the second Friday) and L5 or 5L (the last one)."""

    __slots__ = ()

    def spell_part(self, part: str) -> str:
        """Spell one member of a list."""
        if match := _NTH.fullmatch(part):
            if int(match["nth"]) not in range(1, 6):
                _refuse(f"weekday {quoted(part)} never comes, write #1 to #5")
            return f"{self.number(match['day']) % 7}#{int(match['nth'])}"
        if match := _LAST.fullmatch(part):
            return f"l{self.number(match['after'] or match['before']) % 7}"
        return super().spell_part(part)

    def _forwards(self, first: int, last: int) -> str:
        """Spell a range that runs on over Sunday, which is 7 as well."""
        return f"{_join(first, 7)},{_join(1, last)}" if last else _join(first, 7)


_SECOND: Final = _Field(name="second", low=0, high=59)
_FIELDS: Final = (
    _Field(name="minute", low=0, high=59),
    _Field(name="hour", low=0, high=23),
    _DayField(name="day", low=1, high=31),
    _Field(
        name="month",
        low=1,
        high=12,
        names=_MONTHS,
        base=1,
    ),
    _WeekdayField(name="weekday", low=0, high=7, names=_WEEKDAYS),
)


def _spell(columns: list[str]) -> str:
    """Spell an expression that is split into its columns."""
    if columns and columns[0].startswith("@"):
        return _expand_nickname(*columns)
    if len(columns) not in {5, 6}:
        count = "1 field" if len(columns) == 1 else f"{len(columns)} fields"
        _refuse(
            f"it has {count}, write 5 (minute hour day month weekday) or 6 with the seconds first"
        )
    fields = (_SECOND, *_FIELDS)[-len(columns) :]
    return " ".join(
        "*"
        if column == "?" and isinstance(field, _DayField | _WeekdayField)
        else field.spell(column)
        for field, column in zip(fields, columns, strict=True)
    )


def _expand_nickname(name: str, *rest: str) -> str:
    """Return what `@daily` and its kin stand for."""
    if name not in _NICKNAMES or rest:
        _refuse_nickname(name)
    return _NICKNAMES[name]


def _refuse_nickname(name: str) -> NoReturn:
    """Say what to write instead."""
    near = difflib.get_close_matches(name, _NICKNAMES, n=1)
    mend = f'did you mean "{near[0]}"?' if near else 'write five fields such as "0 2 * * *"'
    _refuse(f"{quoted(name)} is no schedule, {_ELSEWHERE.get(name, mend)}")


def _groups(column: str, kind: Callable[[str], str]) -> list[str]:
    """Split a list into sublists of one kind each."""
    found: dict[str, list[str]] = {}
    for part in dict.fromkeys(column.split(",")):
        found.setdefault(kind(part), []).append(part)
    return [",".join(parts) for parts in found.values()]


def _step(step: str | None, part: str) -> str:
    """Spell the step of a member, slash included; empty where there is none."""
    if step is None:
        return ""
    if int(step) == 0:
        _refuse(f"the step of {quoted(part)} is 0, write at least 1")
    return f"/{int(step)}"


def _join(first: int, last: int) -> str:
    """Spell a range."""
    return str(first) if first == last else f"{first}-{last}"


def _refuse(sentence: str) -> NoReturn:
    """Say what is wrong with one part; `canonical` adds the expression."""
    raise ConfigError(sentence)
