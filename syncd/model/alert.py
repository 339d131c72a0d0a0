"""What a person is told of a job: how it is, since when, and whether they know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class Topic(StrEnum):
    """What is told about: how a job's runs end, how much one changed, whose consent ends soon."""

    RUNS = "runs"
    CHANGE = "change"
    GRANTS = "grants"


class Condition(StrEnum):
    """How a job is, as far as a person is told."""

    FAILED = "failed"
    ABANDONED = "abandoned"
    HELD = "held"
    WELL = "well"
    CHANGED = "changed"
    EXPIRING = "expiring"

    @property
    def is_trouble(self) -> bool:
        """Tell whether it lasts until it is told that the job is well again."""
        return self in {Condition.FAILED, Condition.ABANDONED, Condition.HELD}


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertState:
    """What was told, or is to be told (`told_at` None), of one topic of a job.

    `run_id` is the run that says so, `first_run` the one with which it began, `plan_id` the newest
    plan that was told of. `detail` holds what the run itself does not say.
    """

    job: str
    topic: Topic
    condition: Condition
    run_id: int
    first_run: int
    since: datetime
    plan_id: int | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)
    told_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingPlan:
    """As much of a plan as is told of it; `is_open`: it still waits for a person."""

    id: int
    is_open: bool
    deletes: int
    updates: int
    holds_updates: bool
    base: int
    reasons: tuple[str, ...]
    is_hard: bool
    expires_at: datetime
