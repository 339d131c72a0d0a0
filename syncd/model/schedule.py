"""When a job fires, beyond its fire times: what becomes of those that pass, and of two at once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Misfire(StrEnum):
    """What becomes of fire times that passed without a run: none, the newest, or all of them."""

    SKIP = "skip"
    ONCE = "once"
    ALL = "all"


class Overlap(StrEnum):
    """What becomes of a fire time while a run of its job is active."""

    SKIP = "skip"
    QUEUE = "queue"
    REPLACE = "replace"
    ALLOW = "allow"


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """What the ledger keeps of a job: `schedule` says when it fires, `enabled` whether it does."""

    job: str
    schedule: str
    enabled: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the ledger knows of a job: where `every` counts from, and what is decided.

    What lies before `counts_from`, when the job was added, changed or switched on, is none of its
    own. Fire times up to and including `decided_until` have their verdict, or lie before that.
    """

    anchor_at: datetime
    counts_from: datetime
    decided_until: datetime
