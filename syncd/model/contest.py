"""Contests: what a platform announces, and what became of its plans."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

MOVED = timedelta(seconds=60)
"""A contest has moved when its start changes by as much."""


class Occasion(StrEnum):
    """Why somebody is told of a contest.

    REMINDER: it starts soon. MOVED: it starts at another time than was known. CANCELLED: it does
    not take place. RESTORED: it does after all. DIGEST: it is among those newly announced.
    """

    REMINDER = "reminder"
    MOVED = "moved"
    CANCELLED = "cancelled"
    RESTORED = "restored"
    DIGEST = "digest"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contest:
    """A contest as its platform, or a list of many platforms, tells of it.

    `external_id` is the platform's own and never changes; `name` is as told, neither cleaned nor
    shortened. Instants are UTC, `ends_at` is never before `starts_at`; `duration_seconds` may be
    shorter than what lies between them (a window in which everybody begins when they like).
    `joint_id` is what contests have in common that are one, whatever they are called here and
    there (CodeChef's START134 is START134B on another day); mostly it is `external_id`.
    """

    platform: str
    external_id: str
    name: str
    url: str
    starts_at: datetime
    ends_at: datetime
    duration_seconds: int
    kind: str = ""
    rated_range: str = ""
    raw: Mapping[str, Any] = field(default_factory=dict)
    joint_id: str = ""

    def __post_init__(self) -> None:
        """Let a contest that goes by one id alone be known by that."""
        if not self.joint_id:
            object.__setattr__(self, "joint_id", self.external_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class ContestList:
    """What one look at a source found.

    `is_whole`: every contest to come is listed, so that one that is not there was taken back; of a
    window (the next two, the last fifty) missing means nothing. `unread` says of rows that could
    not be read why, a sentence each; they keep what is known of them. `source` is who told.
    """

    source: str
    contests: Sequence[Contest]
    is_whole: bool
    unread: Sequence[str] = ()
