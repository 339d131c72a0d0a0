"""What a leaderboard run came to, in numbers that add up.

    seen = rows the table had + created + users set aside who have no row + new ones who came first

A row of the table is deleted, updated, set aside with its user, left for a reason, or unchanged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from syncd.model.leaderboard import Comparison, Deletes, Guard, Verdict
from syncd.model.run import Report, RunId

_WORDS = {"conflict", "held", "waiting", "kept", "poisoned"}
_DELETABLE = {
    Deletes.DUE: ("due", "approved"),
    Deletes.APPROVED: ("approved",),
    Deletes.NONE: (),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What a run found, and what it may do about that."""

    job: str
    run_id: RunId
    at: datetime
    guard: Guard
    comparison: Comparison
    verdict: Verdict
    is_partial: bool

    @property
    def deletable(self) -> tuple[str, ...]:
        """Return what the rows are called that may be deleted."""
        return _DELETABLE[self.verdict.deletes]

    @property
    def deletes(self) -> int:
        """Return how many rows may be deleted, unless their users are back."""
        return sum(getattr(self.comparison, act) for act in self.deletable)

    @property
    def rows(self) -> int:
        """Return how many rows of the table this is about: all, or those who were looked at."""
        counts = self.comparison
        if self.is_partial:
            return counts.users - counts.created + counts.protected
        return counts.base

    @property
    def updates(self) -> int:
        """Return how many rows are to be updated."""
        return self.comparison.updated if self.verdict.updates else 0


@dataclass(frozen=True, slots=True)
class Tally:
    """Rows that were written."""

    created: int = 0
    updated: int = 0
    deleted: int = 0

    def __add__(self, other: Tally) -> Tally:
        """Add two tallies."""
        return Tally(
            self.created + other.created,
            self.updated + other.updated,
            self.deleted + other.deleted,
        )


class Aside(NamedTuple):
    """How many users were set aside, and how many of them have a row in the table."""

    users: int
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftover:
    """Rows that were not written: somebody else wrote them first, or something holds them.

    `conflicts` are of rows that the table had, `overtaken` of rows that it had not.
    """

    conflicts: int
    overtaken: int
    held: int
    waiting: int
    kept: int

    @classmethod
    def of(cls, found: Findings, done: Tally, left: Mapping[str, int]) -> Leftover:
        """Tell what is left, of which `left` counts what lies in the stage."""
        comparison, verdict = found.comparison, found.verdict
        held_updates = 0 if verdict.updates else comparison.updated
        updates = found.updates - done.updated - left["refused_old"]
        return cls(
            conflicts=max(0, updates) + left["undone"],
            overtaken=max(0, comparison.created - done.created - left["refused_new"]),
            held=(left["resting"] if verdict.holds_deletes else 0) + held_updates,
            waiting=0 if verdict.holds_deletes else left["resting"],
            kept=left["kept"],
        )

    @property
    def reasons(self) -> Mapping[str, int]:
        """Return how many rows are left for which reason."""
        words = {
            "conflict": self.conflicts + self.overtaken,
            "held": self.held,
            "waiting": self.waiting,
            "kept": self.kept,
        }
        return {word: count for word, count in words.items() if count}


def missing_from(so_far: Report, last: Tally, rows: int, left: Leftover, aside: Aside) -> Report:
    """Return what must be added to the counts of a run so that they are true and add up.

    `so_far` was counted in earlier transactions, also by an attempt that was cut off, whose
    work this one found as unchanged; `rows` are in the table but for the `last` changes.
    """
    had = rows - so_far.created + so_far.deleted
    reasons = {**left.reasons, "poisoned": aside.users} if aside.users else left.reasons
    skipped = sum(left.reasons.values())
    written = so_far.updated + last.updated + so_far.deleted + last.deleted
    unchanged = max(0, had - written - (skipped - left.overtaken) - aside.rows)
    words = reasons.keys() | (so_far.failures.keys() & _WORDS)
    more = {word: reasons.get(word, 0) - so_far.failures.get(word, 0) for word in words}
    return Report(
        created=last.created,
        updated=last.updated,
        deleted=last.deleted,
        unchanged=unchanged - so_far.unchanged,
        skipped=skipped - so_far.skipped,
        failed=aside.users - so_far.failed,
        failures={word: count for word, count in more.items() if count},
    )
