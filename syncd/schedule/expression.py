"""The cron language: what a person may write, and the one numeric spelling of it.

croniter reads more than people mean (`9-9` as every hour, `22-2` across midnight, seconds last), so
an expression reaches it only in the spelling made here.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, NoReturn

from syncd.errors import ConfigError

LONGEST: Final = 256
"""Characters an expression may have."""

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
    if len(expression) > LONGEST:
        raise ConfigError(
            f"schedule {json.dumps(expression[:32] + '...')}: it has {len(expression)} "
            f"characters, write at most {LONGEST}"
        )
    try:
        return _spell(expression.lower().split())
    except ConfigError as exc:
        raise ConfigError(f"schedule {json.dumps(expression)}: {exc}") from None


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
        parts = column.split(",")
        if "*" in parts and len(parts) > 1:
            _refuse(f'the {self.name} list "{column}" contains "*", which is every {self.name}')
        return ",".join(self.spell_part(part) for part in parts)

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
            mend = f"{_join(first, self.high)},{_join(self.low, last)}"
            _refuse(f'the {self.name} range "{low}-{high}" runs backwards, write "{mend}"')
        return _join(first, last)

    def number(self, text: str) -> int:
        """Return the number that a value stands for."""
        if text in self.names:
            return self.names.index(text) + self.base
        if not text.isdigit():
            self._refuse_part(text)
        if not self.low <= int(text) <= self.high:
            _refuse(f"{self.name} {text} is out of range, write {self.low}-{self.high}")
        return int(text)

    def _refuse_part(self, part: str) -> NoReturn:
        """Say that a member cannot be read, with the name that was probably meant."""
        near = difflib.get_close_matches(part, self.names, n=1)
        names = f" or {self.names[0]}-{self.names[-1]}" if self.names else ""
        mend = f'did you mean "{near[0]}"?' if near else f"write {self.low}-{self.high}{names}"
        _refuse(f"{self.name} {json.dumps(part)} cannot be read, {mend}")


class _DayField(_Field):
    """The day of the month: also L (the last) and 15W (the weekday nearest to the 15th)."""

    __slots__ = ()

    def spell_part(self, part: str) -> str:
        """Spell one member of a list."""
        if part == "h":
            return "h(1-28)"  # a day that every month has
        if part == "l":
            return part
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
                _refuse(f'weekday "{part}" never comes, write #1 to #5')
            return f"{self.number(match['day']) % 7}#{int(match['nth'])}"
        if match := _LAST.fullmatch(part):
            return f"l{self.number(match['after'] or match['before']) % 7}"
        return super().spell_part(part)


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
        _refuse(
            f"it has {len(columns)} fields, write 5 (minute hour day month weekday) "
            "or 6 with the seconds first"
        )
    fields = (_SECOND, *_FIELDS)[-len(columns) :]
    spelled = [
        "*"
        if column == "?" and isinstance(field, _DayField | _WeekdayField)
        else field.spell(column)
        for field, column in zip(fields, columns, strict=True)
    ]
    _check_days(spelled[-3], spelled[-1])
    return " ".join(spelled)


def _expand_nickname(name: str, *rest: str) -> str:
    """Return what `@daily` and its kin stand for."""
    if name not in _NICKNAMES or rest:
        _refuse_nickname(name)
    return _NICKNAMES[name]


def _refuse_nickname(name: str) -> NoReturn:
    """Say what to write instead."""
    near = difflib.get_close_matches(name, _NICKNAMES, n=1)
    mend = f'did you mean "{near[0]}"?' if near else 'write five fields such as "0 2 * * *"'
    _refuse(f"{json.dumps(name)} is no schedule, {_ELSEWHERE.get(name, mend)}")


def _check_days(day: str, weekday: str) -> None:
    """Refuse what croniter would answer with other days than were written."""
    special = ["#" in part or "l" in part for part in weekday.split(",")]
    if "w" not in day and not any(special):
        return
    both_count = not day.startswith("*") and not weekday.startswith("*")
    if both_count or ("w" in day and "," in day) or len(set(special)) > 1:
        _refuse("W, # and the L of a weekday go with no other days, split it into two jobs")


def _step(step: str | None, part: str) -> str:
    """Spell the step of a member, slash included; empty where there is none."""
    if step is None:
        return ""
    if int(step) == 0:
        _refuse(f'the step of "{part}" is 0, write at least 1')
    return f"/{int(step)}"


def _join(first: int, last: int) -> str:
    """Spell a range."""
    return str(first) if first == last else f"{first}-{last}"


def _refuse(sentence: str) -> NoReturn:
    """Say what is wrong with one part; `canonical` adds the expression."""
    raise ConfigError(sentence)
