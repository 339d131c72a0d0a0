"""What a person is told about, and whether it reached them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from syncd.telemetry.events.base import Event, Level


@dataclass(frozen=True, slots=True, kw_only=True)
class LargeChange(Event):
    """A run changed `changed` rows of a table of `base`: more than its job calls a large change.

    `backup` is the number of the copy from before, None where none was taken.
    """

    name: ClassVar[str] = "run.changed_much"
    level: ClassVar[Level] = Level.WARNING
    run_id: int
    job: str
    changed: int
    base: int
    backup: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertSent(Event):
    """The webhook took an alert; `alert` is its event, `status` what it answered."""

    name: ClassVar[str] = "alert.sent"
    alert: str
    job: str
    run_id: int
    attempts: int
    status: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertDropped(Event):
    """The webhook did not take an alert, and it is not tried again for this run."""

    name: ClassVar[str] = "alert.dropped"
    level: ClassVar[Level] = Level.WARNING
    alert: str
    job: str
    run_id: int
    attempts: int
    error: str
    hint: str = ""
