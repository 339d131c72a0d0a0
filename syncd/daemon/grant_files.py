"""Grants in: import files and single ones, checked without ever repeating what was given.

A file without its header has a token where a name belongs, so nothing of it is shown but lines.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from syncd.config.values import suggestion
from syncd.daemon.listening import needs_grants
from syncd.daemon.records import read_all, records_of
from syncd.errors import BadInput
from syncd.model.grant import GrantEntry
from syncd.model.name import NAME_RULE, is_name
from syncd.platforms.base import Platform
from syncd.web.instant import OffsetInstant
from syncd.web.wording import problems_of

LONGEST_TOKEN = 4_096
LONGEST_SCOPES = 1_024
_DEFAULT_PLATFORM = "spotify"
# Clocks of the platform's own site and ours may differ by so much.
_AHEAD = timedelta(minutes=5)
_NEEDED = ("key", "refresh_token", "granted_at")


class _Row(BaseModel):
    """One grant of an import file."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    key: str
    platform: str = _DEFAULT_PLATFORM
    handle: str = ""
    refresh_token: str = Field(repr=False)
    access_token: str = Field("", repr=False)
    access_expires_at: OffsetInstant | None = None
    scopes: str = ""
    granted_at: OffsetInstant


COLUMNS = tuple(_Row.model_fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantRules:
    """What grants can be: for which platforms, and none that was given after `now`."""

    platforms: Mapping[str, Sequence[Platform]]
    now: datetime

    def check(self, entry: GrantEntry) -> None:
        """Refuse a grant that cannot be.

        Raises:
            BadInput: one sentence per problem, without what was given.
        """
        problems = [*self._names(entry), *_tokens(entry), *_scopes(entry), *self._times(entry)]
        if problems:
            raise BadInput(*problems)

    def _names(self, entry: GrantEntry) -> list[str]:
        problems = [] if is_name(entry.key) else [f"key: must be {NAME_RULE}"]
        if not needs_grants(self.platforms, entry.platform):
            known = ", ".join(each for each in self.platforms if needs_grants(self.platforms, each))
            why = f"is none that users grant access to; there is {known or 'none'}"
            return [*problems, f"platform: {why}"]
        if entry.handle and not self.platforms[entry.platform][0].accepts(entry.handle):
            problems.append(f"handle: cannot be a name on {entry.platform}")
        return problems

    def _times(self, entry: GrantEntry) -> list[str]:
        if entry.granted_at > self.now + _AHEAD:
            return ["granted_at: lies in the future; it is when the user consented"]
        return []


def read_grants(text: str, layout: str, rules: GrantRules) -> list[tuple[int, GrantEntry]]:
    """Read an import file as a whole, each grant with its line; call it beside the loop.

    Args:
        text: the file. CSV has a header with `key`, `refresh_token`, `granted_at` and perhaps the
            other columns; JSON is one object per line or a list of objects, with the same keys.
        layout: `csv` or `json`.
        rules: what every grant must meet.

    Raises:
        BadInput: every problem with its line, never a token; nothing of the file may be used.
    """
    first_lines: dict[tuple[str, str], int] = {}

    def read(line: int, raw: Any) -> tuple[int, GrantEntry]:
        given = {name: cell for name, cell in raw.items() if cell} if layout == "csv" else raw
        entry = _to_entry(given)
        rules.check(entry)
        first = first_lines.setdefault((entry.key, entry.platform), line)
        if first != line:
            raise BadInput(f"its user stands in line {first} already, for the same platform")
        return line, entry

    return read_all(records_of(text, layout, _check_header), read)


def _check_header(header: list[str]) -> None:
    problems = [
        f"line 1: column {place} has no name of ours{suggestion(name, COLUMNS)}"
        for place, name in enumerate(header, 1)
        if name not in COLUMNS
    ]
    problems += [
        f"line 1: column {name!r} stands there twice" for name in COLUMNS if header.count(name) > 1
    ]
    problems += [f"line 1: there is no column {name!r}" for name in _NEEDED if name not in header]
    if problems:
        raise BadInput(*problems, hint=f"the columns are {', '.join(COLUMNS)}")


def _to_entry(raw: Any) -> GrantEntry:
    try:
        row = _Row.model_validate(raw)
    except ValidationError as error:
        raise BadInput(*problems_of(error, _Row, "row", is_secret=True)) from None
    return GrantEntry(**dict(row))


def _tokens(entry: GrantEntry) -> list[str]:
    given = {"refresh_token": entry.refresh_token}
    if entry.access_token:
        given["access_token"] = entry.access_token
    return [f"{name}: {problem}" for name, token in given.items() if (problem := _wrong(token))]


def _scopes(entry: GrantEntry) -> list[str]:
    if len(entry.scopes) > LONGEST_SCOPES:
        return [f"scopes: is longer than {LONGEST_SCOPES:,} characters"]
    return [] if entry.scopes.isprintable() else ["scopes: must hold printable characters only"]


def _wrong(token: str) -> str:
    """Say why a text can be no token; empty where it can be one."""
    if not token:
        return "is empty"
    if len(token) > LONGEST_TOKEN:
        return f"is longer than {LONGEST_TOKEN:,} characters"
    is_plain = token.isascii() and token.isprintable() and " " not in token
    return "" if is_plain else "holds a space or a character that no token has"
