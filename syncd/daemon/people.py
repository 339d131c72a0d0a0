"""Users in and out: import files, and handles checked by their platform's own rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from syncd.daemon.records import read_all, records_of
from syncd.errors import BadInput
from syncd.model.account import UserEntry
from syncd.model.name import NAME_RULE, is_name
from syncd.platforms.base import Platform
from syncd.web.instant import Instant
from syncd.web.wording import problems_of

_TRUE, _FALSE = {"true", "yes", "1"}, {"false", "no", "0"}


class _Row(BaseModel):
    """One user of an import file."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    key: str
    accounts: dict[str, str] = {}
    opted_out: bool | None = None
    last_login_at: Instant | None = None


def read_users(
    text: str, layout: str, platforms: Mapping[str, Sequence[Platform]]
) -> list[UserEntry]:
    """Read an import file as a whole; may take seconds, so call it beside the loop.

    Args:
        text: the file. CSV has a header: `key`, one column per platform, and perhaps `opted_out`
            and `last_login_at`; JSON is one object per line or a list of objects, shaped like
            `{"key": ..., "accounts": {"github": ...}}`.
        layout: `csv` or `json`.
        platforms: whose rules the handles must meet.

    Raises:
        BadInput: every problem with its line; nothing of the file may be used.
    """
    first_lines: dict[str, int] = {}

    def read(line: int, raw: Any) -> UserEntry:
        entry = _to_entry(_from_cells(raw) if layout == "csv" else raw)
        check_entry(entry, platforms)
        if entry.key in first_lines:
            raise BadInput(f"user {entry.key!r} stands in line {first_lines[entry.key]}")
        first_lines[entry.key] = line
        return entry

    def check_header(header: list[str]) -> None:
        _check_header(header, platforms)

    return read_all(records_of(text, layout, check_header), read)


def check_entry(entry: UserEntry, platforms: Mapping[str, Sequence[Platform]]) -> None:
    """Refuse a user with a key or a handle that cannot be.

    Raises:
        BadInput: one sentence per problem.
    """
    problems = [
        problem
        for platform, handle in entry.accounts.items()
        if (problem := _handle_problem(platform, handle, platforms))
    ]
    if not is_name(entry.key):
        problems.insert(0, f"key {_shown(entry.key)} must be {NAME_RULE}")
    if problems:
        hint = "give the name as the platform shows it; an empty one disconnects"
        raise BadInput(*problems, hint=hint)


def _handle_problem(
    platform: str, handle: str, platforms: Mapping[str, Sequence[Platform]]
) -> str | None:
    if platform not in platforms:
        known = ", ".join(_with_accounts(platforms))
        return f"accounts.{platform[:50]}: there is no such platform; there are {known}"
    if handle and platforms[platform][0].kind == "contests":
        return f"accounts.{platform}: {platform} tells of contests alone, it has no accounts"
    if handle and not platforms[platform][0].accepts(handle):
        return f"accounts.{platform}: {_shown(handle)} cannot be a name on {platform}"
    return None


def _with_accounts(platforms: Mapping[str, Sequence[Platform]]) -> list[str]:
    return [name for name, group in platforms.items() if group[0].kind != "contests"]


def _shown(text: str) -> str:
    return ascii(text[:60]) + ("..." if len(text) > 60 else "")


def _to_entry(raw: Any) -> UserEntry:
    try:
        row = _Row.model_validate(raw)
    except ValidationError as error:
        raise BadInput(*problems_of(error, _Row, "row")) from None
    return UserEntry(
        key=row.key,
        accounts=row.accounts,
        opted_out=row.opted_out,
        last_login_at=row.last_login_at,
    )


def _check_header(header: list[str], platforms: Mapping[str, Sequence[Platform]]) -> None:
    known = {"key", "opted_out", "last_login_at", *_with_accounts(platforms)}
    problems = [f"line 1: unknown column {_shown(name)}" for name in header if name not in known]
    problems += [
        f"line 1: column {name!r} stands there twice"
        for name in set(header)
        if header.count(name) > 1
    ]
    if "key" not in header:
        problems.append("line 1: there is no column 'key'")
    if problems:
        raise BadInput(*problems, hint=f"columns: {', '.join(sorted(known))}")


def _from_cells(cells: dict[str, str]) -> dict[str, Any]:
    """Return a row of CSV in the shape of JSON.

    Raises:
        BadInput: a cell says neither yes nor no.
    """
    row = dict(cells)
    answer: dict[str, Any] = {"key": row.pop("key")}
    if opted_out := row.pop("opted_out", "").lower():
        if opted_out not in _TRUE | _FALSE:
            raise BadInput(f"opted_out: {_shown(opted_out)} is neither true nor false")
        answer["opted_out"] = opted_out in _TRUE
    if login := row.pop("last_login_at", ""):
        answer["last_login_at"] = login
    # An empty cell says nothing about that platform; disconnecting is done one by one.
    answer["accounts"] = {platform: handle for platform, handle in row.items() if handle}
    return answer
