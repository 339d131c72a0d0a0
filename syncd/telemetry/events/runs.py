"""What happens to jobs, runs, items and accounts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from syncd.model.run import Report, Run
from syncd.telemetry.events.base import Event, Level


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRegistered(Event):
    """A job of the configuration is known to the scheduler; one line a job at start."""

    name: ClassVar[str] = "job.registered"
    job: str
    kind: str
    schedule: str
    timezone: str
    enabled: bool
    next_fire_time: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted(Event):
    """A run begins, or goes on after an interruption (`run.resumed` > 0)."""

    name: ClassVar[str] = "run.started"
    run: Run


@dataclass(frozen=True, slots=True, kw_only=True)
class RunProgressed(Event):
    """How far a run is, per platform; at most a few a second.

    `total` is the number of items the run found due, `rate` items per second of late, `waits_for`
    what it waits for in words (empty: nothing), `eta_seconds` None while unknown.
    """

    name: ClassVar[str] = "run.progressed"
    level: ClassVar[Level] = Level.DEBUG
    run_id: int
    job: str
    platform: str
    done: int
    total: int
    report: Report
    rate: float
    eta_seconds: float | None
    waits_for: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunHeldUp(Event):
    """A run waits for PostgreSQL, which does not take what it writes; told with each try."""

    name: ClassVar[str] = "run.held_up"
    level: ClassVar[Level] = Level.WARNING
    run_id: int
    job: str
    error: str
    hint: str
    retry_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemsCommitted(Event):
    """A run is through with some items of a platform and their data is stored; adds up exactly."""

    name: ClassVar[str] = "items.committed"
    level: ClassVar[Level] = Level.DEBUG
    run_id: int
    job: str
    platform: str
    report: Report


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformFinished(Event):
    """A run is through with one of its platforms: what it came to there, all its parts together."""

    name: ClassVar[str] = "platform.finished"
    run_id: int
    job: str
    platform: str
    report: Report
    profiles: int
    success_rate: float | None
    mean_seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseFinished(Event):
    """A run that goes step by step is through with one of them."""

    name: ClassVar[str] = "run.phase_finished"
    level: ClassVar[Level] = Level.DEBUG
    run_id: int
    job: str
    phase: str
    duration_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFinished(Event):
    """The canonical line of a run: everything that is known about it.

    `away` names the server without which it failed: "redis", "postgresql" or none.
    """

    name: ClassVar[str] = "run.finished"
    run: Run
    duration_seconds: float
    away: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoresComputed(Event):
    """Scores that were due were computed: `changed` are others now, `removed` have no part left."""

    name: ClassVar[str] = "scores.computed"
    users: int
    changed: int
    removed: int
    formula_version: str
    duration_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCrashed(Event):
    """A run failed in a way nobody foresaw; `stack` is the traceback."""

    name: ClassVar[str] = "run.crashed"
    level: ClassVar[Level] = Level.ERROR
    run_id: int
    job: str
    error: str
    stack: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FireClaimed(Event):
    """A fire time was due and is to run; `late_seconds` is how long after it was due."""

    name: ClassVar[str] = "schedule.claimed"
    level: ClassVar[Level] = Level.DEBUG
    run_id: int
    job: str
    fire_time: datetime
    cause: str
    late_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStuck(Event):
    """A cancelled run goes on all the same; `stack` tells where each task stands that does so."""

    name: ClassVar[str] = "run.stuck"
    level: ClassVar[Level] = Level.ERROR
    run_id: int
    job: str
    stack: str
    hint: str = "something there swallows CancelledError; the process ends without waiting for it"


@dataclass(frozen=True, slots=True, kw_only=True)
class FireSkipped(Event):
    """A fire time was due and did not run; `reason` says why.

    One event for all that share job and reason at a time: `rows` of them in the ledger, from
    `fires_since` to `fire_time`.
    """

    name: ClassVar[str] = "schedule.skipped"
    level: ClassVar[Level] = Level.WARNING
    job: str
    fire_time: datetime
    reason: str
    rows: int = 1
    fires_since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemFailed(Event):
    """One item failed; the others go on. `outcome` is the word of the outcome list."""

    name: ClassVar[str] = "item.failed"
    level: ClassVar[Level] = Level.DEBUG
    run_id: int
    job: str
    platform: str
    account: str
    outcome: str
    error: str
    attempt: int
    stack: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WrongAccountAnswered(Event):
    """A platform answered about somebody else: refused, and told once a run and credential."""

    name: ClassVar[str] = "platform.wrong_account"
    level: ClassVar[Level] = Level.ERROR
    run_id: int
    job: str
    platform: str
    account: str
    error: str
    hint: str = "nothing of it was stored; see whether a proxy or cache stands before base_url"


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaChanged(Event):
    """A platform's answer is not what it documents; told once a run and credential.

    `sample` is how the answer begins, 200 characters at most.
    """

    name: ClassVar[str] = "platform.schema_changed"
    level: ClassVar[Level] = Level.ERROR
    run_id: int
    job: str
    platform: str
    credential: str
    account: str
    error: str
    sample: str
    hint: str = "nothing of it was stored; where others are answered it is this account's page"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetterWritten(Event):
    """An item's attempts are used up, again perhaps: `letter` waits for a person."""

    name: ClassVar[str] = "dead_letter.written"
    level: ClassVar[Level] = Level.WARNING
    letter: int
    run_id: int
    job: str
    platform: str
    account: str
    outcome: str
    error: str
    attempts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepSuspended(Event):
    """A run asks a platform for accounts one by one: `seconds` long, None for the rest of it."""

    name: ClassVar[str] = "sweep.suspended"
    level: ClassVar[Level] = Level.WARNING
    run_id: int
    job: str
    platform: str
    seconds: float | None
    error: str
    hint: str = "changes are found all the same, by more calls; sweep = false in the job ends this"
    stack: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountChanged(Event):
    """An account's state or handle changed (renamed, gone, quarantined, opted out, ...)."""

    name: ClassVar[str] = "account.changed"
    platform: str
    account_id: int
    user_key: str
    change: str
    detail: str = ""
