"""Profiles as columns: what the upsert takes, and the hash by which a change is noticed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from pydantic_core import to_json

from syncd.model.account import AccountId
from syncd.model.profile import Profile

_MAPPED = (
    "name",
    "avatar_url",
    "bio",
    "followers",
    "following",
    "public_repos",
    "rating",
    "solved",
)
_HOLDERS = frozenset({dict, list})


def to_columns(profiles: Sequence[tuple[AccountId, Profile]]) -> list[list[Any]]:
    """Turn profiles into the arrays that `upsert_profiles` unnests, in its order."""
    mapped = [_column(name, profiles) for name in _MAPPED]
    written = [_canonical(profile.raw) for _, profile in profiles]
    return [
        [number for number, _ in profiles],
        *mapped,
        _splits([profile for _, profile in profiles]),
        written,
        [
            hash_answer(profile) if profile.volatile else hashlib.sha256(text).digest()
            for (_, profile), text in zip(profiles, written, strict=True)
        ],
    ]


def _column(name: str, profiles: Sequence[tuple[AccountId, Profile]]) -> list[Any]:
    """Return a field of all profiles; nothing where nobody has it, which `unnest` makes NULLs."""
    values = [getattr(profile, name) for _, profile in profiles]
    return [] if values.count(None) == len(values) else values


def _splits(profiles: Sequence[Profile]) -> list[str | None]:
    """Return `solved_by` as JSON, as compactly as `_column`."""
    if all(profile.solved_by is None for profile in profiles):
        return []
    return [
        None if profile.solved_by is None else _canonical(dict(profile.solved_by)).decode()
        for profile in profiles
    ]


def hash_answer(profile: Profile) -> bytes:
    """Return what stays the same as long as the answer means the same.

    SHA-256 over the canonical JSON (sorted keys, no spaces) without the volatile keys.
    """
    kept = {key: value for key, value in profile.raw.items() if key not in profile.volatile}
    return hashlib.sha256(_canonical(kept)).digest()


def _canonical(raw: dict[str, Any]) -> bytes:
    try:
        return to_json(_ordered(raw))
    except ValueError:
        # Half a surrogate pair, which UTF-8 cannot hold: PostgreSQL refuses this one row.
        return json.dumps(raw, sort_keys=True, separators=(",", ":")).encode()


def _ordered(value: Any) -> Any:
    kind = type(value)
    if kind is dict:
        names = sorted(value)
        values: Any = map(value.__getitem__, names)
        if not _HOLDERS.isdisjoint(map(type, value.values())):
            values = map(_ordered, values)
        return dict(zip(names, values, strict=True))
    return [_ordered(inner) for inner in value] if kind is list else value
