"""What a platform says about an account."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from syncd.model.account import SweepMark


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One platform's answer about one account: mapped fields and the answer itself.

    `external_id` is the platform's immutable id, `handle` the name it uses today. A field the
    platform does not have, or did not send, is None, never 0 or empty. `rating` is in the scale of
    the platform; `solved` counts solved problems, `solved_by` splits them by the platform's own
    words (easy, medium, hard). `raw` is the whole answer; `volatile` names its keys that change
    without meaning, which change detection leaves out.
    """

    external_id: str
    handle: str
    name: str | None = None
    avatar_url: str | None = None
    bio: str | None = None
    followers: int | None = None
    following: int | None = None
    public_repos: int | None = None
    rating: float | None = None
    solved: int | None = None
    solved_by: Mapping[str, int] | None = None
    raw: dict[str, Any] = field(repr=False)
    volatile: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A good answer. `etag` is empty where the platform sent none we may use again.

    `mark` is how a sweep names the account and what it would say about it; None where the
    platform has no sweep, or where a sweep does not tell of such an account.
    """

    profile: Profile
    etag: str = ""
    etag_credential: str = ""
    mark: SweepMark | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unchanged:
    """The platform says that nothing changed since the ETag we sent (304)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alike:
    """A sweep said the same about the account as the last time; nothing else was asked."""
