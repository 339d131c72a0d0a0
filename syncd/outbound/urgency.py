"""How urgent a request is: whether a person waits for it, or only a schedule.

A context variable carries it, as it carries the meter: whoever runs requests sets it once.
"""

from __future__ import annotations

from contextvars import ContextVar
from enum import IntEnum

from syncd.model.run import Cause


class Urgency(IntEnum):
    """Whose turn comes first: the lower one's."""

    MANUAL = 0
    SCHEDULED = 1


def urgency_of(cause: Cause) -> Urgency:
    """Return how urgent the requests of a run are."""
    return Urgency.MANUAL if cause is Cause.MANUAL else Urgency.SCHEDULED


current_urgency: ContextVar[Urgency] = ContextVar("current_urgency", default=Urgency.SCHEDULED)
"""The urgency of the running task; what nobody set one for can wait."""
