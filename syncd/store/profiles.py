"""Profiles as columns: what the upsert takes, and the hash by which a change is noticed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

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


def to_columns(profiles: Sequence[tuple[AccountId, Profile]]) -> list[list[Any]]:
    """Turn profiles into the arrays that `upsert_profiles` unnests, in its order."""
    mapped = [[getattr(profile, name) for _, profile in profiles] for name in _MAPPED]
    return [
        [number for number, _ in profiles],
        *mapped,
        [json.dumps(profile.raw) for _, profile in profiles],
        [hash_answer(profile) for _, profile in profiles],
    ]


def hash_answer(profile: Profile) -> bytes:
    """Return what stays the same as long as the answer means the same.

    SHA-256 over the canonical JSON (sorted keys, no spaces) without the volatile keys.
    """
    kept = {key: value for key, value in profile.raw.items() if key not in profile.volatile}
    text = json.dumps(kept, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).digest()
