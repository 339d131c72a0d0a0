"""What the clean-up does."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from syncd.telemetry.events.base import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemsCleaned(Event):
    """A run is through with a rule, which is about what is from before an instant.

    With `dry_run` the items were counted only.
    """

    name: ClassVar[str] = "items.cleaned"
    run_id: int
    job: str
    rule: str
    items: int
    before: datetime
    dry_run: bool = False
