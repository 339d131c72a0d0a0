"""What happens to plays, and to the grants by which they are read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from syncd.telemetry.events.base import Event, Level


@dataclass(frozen=True, slots=True, kw_only=True)
class UsersFound(Event):
    """A run knows of how many users it will ask for plays."""

    name: ClassVar[str] = "users.found"
    run_id: int
    job: str
    users: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaysStored(Event):
    """A run is through with a user: plays that are new, that were known, items that are no play.

    `error` says why nothing came; with `dry_run` nothing was stored.
    """

    name: ClassVar[str] = "plays.stored"
    run_id: int
    job: str
    platform: str
    account: str
    user_key: str
    inserted: int = 0
    repeated: int = 0
    skipped: int = 0
    error: str = ""
    dry_run: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaysUnread(Event):
    """So many items of a page could not be read and are lost; `error` says why of the first."""

    name: ClassVar[str] = "plays.unread"
    level: ClassVar[Level] = Level.WARNING
    run_id: int
    job: str
    platform: str
    account: str
    user_key: str
    items: int
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GapFound(Event):
    """Plays of a user between two instants may be lost; the user is looked at again at `due_at`."""

    name: ClassVar[str] = "plays.gap_found"
    level: ClassVar[Level] = Level.WARNING
    run_id: int
    job: str
    platform: str
    account: str
    user_key: str
    after: datetime
    before: datetime
    due_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaysCounted(Event):
    """What a run came to in plays, all its parts together; its own line counts users."""

    name: ClassVar[str] = "plays.counted"
    run_id: int
    job: str
    inserted: int
    repeated: int
    skipped: int
    gaps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantRenewed(Event):
    """New tokens were asked for: `outcome` is renewed, refused or failed."""

    name: ClassVar[str] = "grant.renewed"
    level: ClassVar[Level] = Level.DEBUG
    platform: str
    account_id: int
    outcome: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantDoubted(Event):
    """A platform refused a user's grant; it is tried once more before the user is told."""

    name: ClassVar[str] = "grant.doubted"
    level: ClassVar[Level] = Level.WARNING
    platform: str
    account_id: int
    since: datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantExpiring(Event):
    """A user's consent ends in so many days or less; only the user can renew it."""

    name: ClassVar[str] = "grant.expiring"
    level: ClassVar[Level] = Level.WARNING
    platform: str
    account_id: int
    account: str
    user_key: str
    days: int
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantsExpiring(Event):
    """The consents of so many users end within so many days: told once a run."""

    name: ClassVar[str] = "grants.expiring"
    level: ClassVar[Level] = Level.WARNING
    run_id: int
    job: str
    platform: str
    users: int
    days: int
