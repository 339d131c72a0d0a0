"""What of a user may stand somewhere: what he is called, and how that is found in texts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from syncd.model.account import AccountId

FORGOTTEN = "(forgotten)"
"""What stands in a text in place of a name that was forgotten."""

# A shorter name, or a number, is also a word or a number of anything else: it is looked for where
# errors put names, in quotes and in paths.
_SHORTEST = 4
# The keys of JSON documents under which people are named.
_ABOUT_PEOPLE = frozenset({"only", "sample", "notes", "reasons"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Traces:
    """Who is to be forgotten, by every name.

    `user_id` None: there is no such user (any more), but something may be left of one. `is_kept`:
    key and opt-out must stay, else the query of [users] brings the user back without the opt-out.
    `rows` counts, by table, what goes with the user. `names` are the key, handles and ids on
    platforms; `places` the accounts as pauses call them.
    """

    key: str
    user_id: int | None
    is_mirrored: bool
    is_kept: bool
    accounts: tuple[AccountId, ...]
    rows: Mapping[str, int]
    names: frozenset[str]
    places: tuple[str, ...]

    @property
    def pattern(self) -> str:
        """Return a regular expression for every name, as Python and PostgreSQL both read it."""
        forms = {form for name in self.names for form in _forms(name)}
        words = [form for form in forms if len(form) >= _SHORTEST and not form.isdigit()]
        form = _any_of(forms)
        parts = [f"(?<=')({form})(?=')", f'(?<=")({form})(?=")', rf"(?<=/)({form})(?![-\w%])"]
        if words:
            parts.append(rf"(?<![-\w])({_any_of(words)})(?![-\w])")
        return "|".join(parts)


def cleaned(value: Any, traces: Traces, *, about_people: bool) -> Any:
    """Return a JSON document without the names; keys, and what is about no person, stay."""
    if isinstance(value, dict):
        return {
            key: cleaned(part, traces, about_people=about_people or key in _ABOUT_PEOPLE)
            for key, part in value.items()
        }
    if isinstance(value, list):
        return [cleaned(part, traces, about_people=about_people) for part in value]
    if not about_people or not isinstance(value, str):
        return value
    return FORGOTTEN if value in traces.names else re.sub(traces.pattern, FORGOTTEN, value)


def _forms(name: str) -> tuple[str, ...]:
    """Return how a name looks in a text: plain, as Python and JSON write it, in a path."""
    python, plain = (ascii(name)[1:-1], json.dumps(name, ensure_ascii=False)[1:-1])
    return (name, python, plain, quote(name, safe=""))


def _any_of(forms: Iterable[str]) -> str:
    return "|".join(re.escape(form) for form in sorted(forms, key=lambda form: (-len(form), form)))
