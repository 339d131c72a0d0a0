"""What the columns of the query of [users] mean, and its rows in our shape."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from syncd.config.place import quoted
from syncd.config.values import suggestion
from syncd.errors import RunError
from syncd.model.name import NAME_RULE, is_name
from syncd.store.database import Row
from syncd.store.mirror import LinkRow, UserRow
from syncd.store.source import Column

KEY, LOGIN, OPTED_OUT = "key", "last_login_at", "opted_out"

_TEXTS = {"text", "varchar", "bpchar", "name", "citext"}
_TYPES = {
    KEY: _TEXTS | {"int2", "int4", "int8", "uuid"},
    LOGIN: {"timestamptz"},
    OPTED_OUT: {"bool"},
}
_EXAMPLES = 3


class Columns:
    """The columns of one query, found to be right.

    Args:
        columns: what the query returns.
        platforms: the platforms there are; a column of that name holds the linked handle.

    Raises:
        RunError: every problem at once, each with its mend.
    """

    def __init__(self, columns: Sequence[Column], platforms: Iterable[str]) -> None:
        names = [column.name for column in columns]
        known = [KEY, LOGIN, OPTED_OUT, *platforms]
        problems = [
            *_missing(names),
            *(f"column {quoted(name)} stands there twice" for name in _twice(names)),
            *(problem for column in columns if (problem := _problem(column, known))),
        ]
        if problems:
            raise RunError(
                f"[users] query: {'; '.join(problems)}; nothing was changed",
                hint=f"columns: {', '.join(known)}; name them with AS, leave out others",
            )
        self.platforms = [name for name in names if name not in _TYPES]
        self._has = {name: name in names for name in (LOGIN, OPTED_OUT)}

    def user(self, row: Row, key: str) -> UserRow:
        """Return a row as a user.

        Raises:
            RunError: a login at no time.
        """
        login = row[LOGIN] if self._has[LOGIN] else None
        if login is not None and login.tzinfo is None:
            # The driver's way of saying infinity.
            raise RunError(
                f"[users] query: {LOGIN} of {quoted(key)} is infinite; nothing was changed",
                hint=f"return NULL where there was no login, as {LOGIN}",
            )
        return key, login, row[OPTED_OUT] if self._has[OPTED_OUT] else None

    def links(self, row: Row, key: str) -> list[LinkRow]:
        """Return what a row's user is linked to; an empty handle is no link."""
        handles = ((name, row[name]) for name in self.platforms)
        return [(key, name, text) for name, handle in handles if (text := (handle or "").strip())]


class Keys:
    """Checks the keys of all rows; what is wrong with some of them is said once, at the end."""

    def __init__(self) -> None:
        self._empty = 0
        self._unfit: list[str] = []
        self._unfit_count = 0

    def checked(self, value: object) -> str | None:
        """Return a key as text, None where it cannot be one."""
        key = "" if value is None else str(value)
        if not key.strip():
            self._empty += 1
            return None
        if is_name(key):
            return key
        self._unfit_count += 1
        if len(self._unfit) < _EXAMPLES:
            self._unfit.append(key)
        return None

    def check(self, duplicates: Sequence[str], duplicate_count: int) -> None:
        """Refuse the whole result where one key cannot be used.

        Raises:
            RunError: keys are missing, cannot be stored, or stand there more than once.
        """
        problems = []
        if self._empty:
            problems.append(f"column key is NULL or empty in {_rows(self._empty)}")
        if self._unfit_count:
            shown = _shown(self._unfit, self._unfit_count)
            problems.append(
                f"{_rows(self._unfit_count)} with a key that is not {NAME_RULE}: {shown}"
            )
        if duplicate_count:
            shown = _shown(duplicates, duplicate_count)
            stand = "key stands" if duplicate_count == 1 else "keys stand"
            problems.append(f"{duplicate_count:,} {stand} there more than once: {shown}")
        if problems:
            key = ", with a key that is never NULL" if self._empty else ""
            raise RunError(
                f"[users] query: {'; '.join(problems)}; nothing was changed",
                hint=f"return one row per user{key}",
            )


def _missing(names: Sequence[str]) -> list[str]:
    return [] if KEY in names else ["there is no column key"]


def _twice(names: Sequence[str]) -> list[str]:
    return [name for name, count in Counter(names).items() if count > 1]


def _problem(column: Column, known: Sequence[str]) -> str | None:
    """Say what is wrong with a column by itself, None where nothing is."""
    name, kind = column.name, column.type
    if name not in known:
        return f"unknown column {quoted(name)}{suggestion(name, known)}"
    if kind in _TYPES.get(name, _TEXTS):
        return None
    if name == LOGIN and kind == "timestamp":
        return f"{name} has no time zone, write {name} AT TIME ZONE 'UTC' AS {name}"
    wanted = {LOGIN: "timestamptz", OPTED_OUT: "boolean"}.get(name, "text")
    return f"{name} is of type {kind}, write {name}::{wanted}"


def _rows(count: int) -> str:
    return f"{count:,} row{'' if count == 1 else 's'}"


def _shown(keys: Sequence[str], count: int) -> str:
    more = f" and {count - len(keys):,} more" if count > len(keys) else ""
    return ", ".join(map(quoted, keys)) + more
