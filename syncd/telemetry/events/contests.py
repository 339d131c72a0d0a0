"""What happens to contests, and to the sources that tell of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from syncd.telemetry.events.base import Event, Level


@dataclass(frozen=True, slots=True, kw_only=True)
class ContestsSought(Event):
    """A run asks these sources for contests; `cause` is why the run exists."""

    name: ClassVar[str] = "contests.sought"
    run_id: int
    job: str
    cause: str
    sources: tuple[str, ...]
    dry_run: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ContestsUnread(Event):
    """A source could not be read, or not believed; `error` says why, `stack` of what is a bug."""

    name: ClassVar[str] = "contests.unread"
    level: ClassVar[Level] = Level.WARNING
    run_id: int
    job: str
    platform: str
    outcome: str
    error: str
    hint: str = ""
    items: int = 0
    stack: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContestTurned(Event):
    """The schedule of a contest took a turn; `contest` is the platform's own id of it."""

    run_id: int
    job: str
    platform: str
    contest: str
    title: str
    starts_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ContestMoved(ContestTurned):
    """It starts at another time than was known."""

    name: ClassVar[str] = "contest.moved"
    previous_starts_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContestCancelled(ContestTurned):
    """It was listed no more at two looks in a row, before its start."""

    name: ClassVar[str] = "contest.cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class ContestRestored(ContestTurned):
    """It was taken for cancelled, and is listed again."""

    name: ClassVar[str] = "contest.restored"
