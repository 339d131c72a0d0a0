"""What a run is asked to do, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple, NewType

RunId = NewType("RunId", int)


class Cause(StrEnum):
    """Why a run exists."""

    SCHEDULE = "schedule"
    MANUAL = "manual"
    CATCH_UP = "catch_up"
    CHAINED = "chained"
    RETRY = "retry"


class Outcome(StrEnum):
    """How far a run has come, or how it ended."""

    CLAIMED = "claimed"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    PARTIAL = "partial"
    FAILED = "failed"
    HELD = "held"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"
    ABANDONED = "abandoned"
    SKIPPED = "skipped"

    @property
    def is_final(self) -> bool:
        """Tell whether nothing more happens to a run in this state."""
        return self not in {Outcome.CLAIMED, Outcome.RUNNING, Outcome.INTERRUPTED}


class SkipReason(StrEnum):
    """Why a fire time that was due did not run."""

    COALESCED = "coalesced"
    OVERLAP = "overlap"
    PAUSED = "paused"
    TOO_LATE = "too_late"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """How a trigger narrows a run.

    `only` holds user keys, empty means all; `platform` empty means every platform of the job;
    `limit` caps the items; `full` asks again even where nothing seems due; a dry run calls the
    platforms and writes nothing.

    `act` is what else than its usual work a job is asked to do ("rehydrate", "undo", "restore"),
    `of` the run or the backup that this is about.
    """

    only: tuple[str, ...] = ()
    platform: str = ""
    limit: int | None = None
    full: bool = False
    dry_run: bool = False
    act: str = ""
    of: int | None = None


class Fire(NamedTuple):
    """What was decided about a fire time; `Run` says what the fields mean.

    The ledger makes a run of it. Light, because thousands may be due in one second.
    """

    job: str
    kind: str
    cause: Cause
    fire_time: datetime
    due_at: datetime
    skip_reason: SkipReason | None = None
    fires_since: datetime | None = None
    options: RunOptions = RunOptions()


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A run's counts. `seen = created + updated + unchanged + deleted + skipped + failed`.

    `calls` are requests that left for a platform; `saved` are answers that cost none of its quota
    (304). `failures` counts the failed and skipped items by outcome word.
    """

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    deleted: int = 0
    skipped: int = 0
    failed: int = 0
    calls: int = 0
    saved: int = 0
    failures: Mapping[str, int] = field(default_factory=dict)

    @property
    def seen(self) -> int:
        """Return how many items the run is through with."""
        return (
            self.created + self.updated + self.unchanged + self.deleted + self.skipped + self.failed
        )

    def __add__(self, other: Report) -> Report:
        """Add two reports count by count."""
        failures = dict(self.failures)
        for word, count in other.failures.items():
            failures[word] = failures.get(word, 0) + count
        return Report(
            created=self.created + other.created,
            updated=self.updated + other.updated,
            unchanged=self.unchanged + other.unchanged,
            deleted=self.deleted + other.deleted,
            skipped=self.skipped + other.skipped,
            failed=self.failed + other.failed,
            calls=self.calls + other.calls,
            saved=self.saved + other.saved,
            failures=failures,
        )


NOTHING_DONE = Report()
"""What a run has done before it begins: one value for all, because many wait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformReport:
    """What a run came to on one platform: `asked` answers took `seconds` together.

    `profiles` are the accounts whose profile is as good as the platform's answer.
    """

    report: Report = field(default_factory=Report)
    asked: int = 0
    seconds: float = 0.0

    @property
    def profiles(self) -> int:
        """Return how many good answers there were."""
        return self.report.created + self.report.updated + self.report.unchanged

    @property
    def success_rate(self) -> float | None:
        """Return the share of good answers, None where nobody was asked for."""
        tried = self.profiles + self.report.failed
        return self.profiles / tried if tried else None

    @property
    def mean_seconds(self) -> float | None:
        """Return how long an answer took on average, None where there was none."""
        return self.seconds / self.asked if self.asked else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a run ends, in the words of its job kind.

    `retryable` tells whether what made the whole run fail may pass by itself, `away` which server
    did not answer then: "redis", "postgresql" or none.
    """

    outcome: Outcome
    error: str = ""
    hint: str = ""
    retryable: bool = False
    away: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One execution of a job, as the store keeps it. All instants are UTC.

    `fire_time` is set for scheduled runs only; `due_at` is that with its jitter. A skipped one may
    stand for all fire times since `fires_since`. `origin` is the run that this one repeats, or
    follows in a chain. `started_at` stays that of the first start when an interrupted run is
    resumed: what was read since then is not read again. `retryable` tells whether what made the
    whole run fail may pass by itself.
    """

    id: RunId
    job: str
    kind: str
    cause: Cause
    outcome: Outcome
    fire_time: datetime | None = None
    due_at: datetime | None = None
    fires_since: datetime | None = None
    origin: RunId | None = None
    skip_reason: SkipReason | None = None
    options: RunOptions = RunOptions()
    attempt: int = 1
    resumed: int = 0
    claimed_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    report: Report = NOTHING_DONE
    error: str = ""
    hint: str = ""
    retryable: bool = False
