"""Deliveries between being claimed and being settled."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from syncd.model.contest import Occasion
from syncd.model.notification import ContestNotice, DeliveryState
from syncd.model.quiet import Quiet
from syncd.model.run import Report


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A delivery that a run has claimed, with what is true of its user now.

    `attempts` counts this one too. `unknowns`: how often nobody knew whether it arrived. `quiet`
    None: the user may be told at any hour.
    """

    id: int
    user_id: int
    user_key: str
    channel: str
    occasion: Occasion
    lead_hours: int
    address: str = field(repr=False)
    contests: Sequence[ContestNotice]
    due_at: datetime
    expires_at: datetime
    attempts: int
    unknowns: int
    timezone: str
    language: str
    quiet: Quiet | None = None


class Refusal(StrEnum):
    """What a refusal for good says of the address: nothing, one day more, or that it is dead."""

    NONE = ""
    DAY = "day"
    DEAD = "dead"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What came of a claimed delivery.

    PENDING: it is tried again at `next_attempt_at`; `is_attempt` False: nothing was tried, or it
    was no fault of this one. `is_unknown`: nobody knows whether it arrived, also where it is
    PENDING because it is sent once more.
    """

    delivery: Delivery
    state: DeliveryState
    next_attempt_at: datetime | None = None
    reference: str = ""
    error: str = ""
    hint: str = ""
    is_attempt: bool = True
    is_unknown: bool = False
    refusal: Refusal = Refusal.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """What a claim came to: what is to be sent, and how many were set aside, by reason word."""

    deliveries: Sequence[Delivery]
    expired: int = 0
    dropped: int = 0

    @property
    def rows(self) -> int:
        """Return how many rows it was about."""
        return len(self.deliveries) + self.expired + self.dropped


@dataclass(frozen=True, slots=True, kw_only=True)
class Armed:
    """How many deliveries became due for one channel and occasion."""

    channel: str
    occasion: Occasion
    deliveries: int
    missed: int = 0
    """Of them: their contest began while nothing was sent."""
    later: int = 0
    """Of them: they wait for the end of quiet hours."""

    def __add__(self, other: Armed) -> Armed:
        return replace(
            self,
            deliveries=self.deliveries + other.deliveries,
            missed=self.missed + other.missed,
            later=self.later + other.later,
        )

    @property
    def now(self) -> int:
        """Return how many may be sent at once."""
        return self.deliveries - self.missed - self.later


def report_of(settled: Iterable[Settled]) -> Report:
    """Count what deliveries came to; one that waits for another attempt is not through."""
    total = Report()
    for each in settled:
        match each.state:
            case DeliveryState.SENT:
                total += Report(created=1)
            case DeliveryState.DROPPED | DeliveryState.EXPIRED:
                total += Report(skipped=1, failures={str(each.state): 1})
            case DeliveryState.FAILED | DeliveryState.UNKNOWN:
                total += Report(failed=1, failures={str(each.state): 1})
            case _:
                continue
    return total
