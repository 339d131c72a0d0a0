"""Items whose attempts are used up, kept for a person."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from syncd.model.item import Failure


class LetterState(StrEnum):
    """How a dead letter stands.

    OPEN: a person has to decide. REQUEUED: its item is tried again. RESOLVED: the item had a good
    answer since, or is not followed any more. DISCARDED: a person does not want to see it again.
    """

    OPEN = "open"
    REQUEUED = "requeued"
    RESOLVED = "resolved"
    DISCARDED = "discarded"


class Decision(StrEnum):
    """What a person may make of a dead letter; the value is the state it then has."""

    REQUEUE = "requeued"
    DISCARD = "discarded"

    @property
    def state(self) -> LetterState:
        """Return how the letter stands after it."""
        return LetterState(self.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A letter that was written, or is open again: the failure that used up the last attempt."""

    id: int
    failure: Failure
    attempts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Letters:
    """Which dead letters are meant; None means any."""

    states: tuple[LetterState, ...] = (LetterState.OPEN,)
    id: int | None = None
    job: str | None = None
    platform: str | None = None
    error_class: str | None = None
