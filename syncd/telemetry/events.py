"""What can happen, one class each; `name` is the constant that logs and the event stream carry."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from syncd.model.run import Report, Run


class Level(StrEnum):
    """How loud an event is in the logs."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened; its fields are the keys of the log line."""

    name: ClassVar[str] = "event.emitted"
    level: ClassVar[Level] = Level.INFO


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonStarted(Event):
    """The daemon serves its control port; `ready` tells whether the database answered yet."""

    name: ClassVar[str] = "daemon.started"
    version: str
    listen: str
    ready: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonDraining(Event):
    """A first signal came: nothing new starts, what runs may finish within `drain_seconds`."""

    name: ClassVar[str] = "daemon.draining"
    drain_seconds: float
    active_runs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonStopped(Event):
    """The daemon is about to exit."""

    name: ClassVar[str] = "daemon.stopped"


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
class ItemsCommitted(Event):
    """A run is through with some items of a platform and their data is stored; adds up exactly."""

    name: ClassVar[str] = "items.committed"
    level: ClassVar[Level] = Level.DEBUG
    run_id: int
    job: str
    platform: str
    report: Report


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFinished(Event):
    """The canonical line of a run: everything that is known about it."""

    name: ClassVar[str] = "run.finished"
    run: Run
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
class FireSkipped(Event):
    """A fire time was due and did not run; `reason` says why."""

    name: ClassVar[str] = "schedule.skipped"
    level: ClassVar[Level] = Level.WARNING
    job: str
    fire_time: datetime
    reason: str


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
class AccountChanged(Event):
    """An account's state or handle changed (renamed, gone, quarantined, opted out, ...)."""

    name: ClassVar[str] = "account.changed"
    platform: str
    account_id: int
    user_key: str
    change: str
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRetried(Event):
    """A request failed and is tried again after `delay_seconds`."""

    name: ClassVar[str] = "request.retried"
    level: ClassVar[Level] = Level.DEBUG
    platform: str
    attempt: int
    delay_seconds: float
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformThrottled(Event):
    """A platform, or our own quota for it, asks for a pause; `is_long`: a person should know."""

    name: ClassVar[str] = "platform.throttled"
    level: ClassVar[Level] = Level.WARNING
    platform: str
    credential: str
    until: datetime
    cause: str
    is_long: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformTripped(Event):
    """A platform failed so often in a row that nothing leaves until `until`; then one trial."""

    name: ClassVar[str] = "platform.tripped"
    level: ClassVar[Level] = Level.ERROR
    platform: str
    credential: str
    until: datetime
    error: str
    hint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformRecovered(Event):
    """The first good answer after a pause, or after the platform had tripped the breaker."""

    name: ClassVar[str] = "platform.recovered"
    platform: str
    credential: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreLost(Event):
    """PostgreSQL does not answer; the daemon stays up and keeps trying."""

    name: ClassVar[str] = "store.lost"
    level: ClassVar[Level] = Level.ERROR
    error: str
    retry_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreRecovered(Event):
    """PostgreSQL answers again."""

    name: ClassVar[str] = "store.recovered"
    down_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerStarted(Event):
    """An embedded server accepts connections; `adopted` means that it ran already."""

    name: ClassVar[str] = "server.started"
    server: str
    pid: int
    adopted: bool
    duration_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerDied(Event):
    """An embedded server ended although nobody asked it to; it is started again."""

    name: ClassVar[str] = "server.died"
    level: ClassVar[Level] = Level.ERROR
    server: str
    exit_code: int | None
    retry_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerStopped(Event):
    """An embedded server was stopped."""

    name: ClassVar[str] = "server.stopped"
    server: str
    duration_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlUsed(Event):
    """Somebody changed something over the control port: the audit line of one call."""

    name: ClassVar[str] = "control.used"
    actor: str
    peer: str
    method: str
    path: str
    status: int
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlRefused(Event):
    """The control port refused a call (token, Host, Origin, size)."""

    name: ClassVar[str] = "control.refused"
    level: ClassVar[Level] = Level.WARNING
    peer: str
    method: str
    path: str
    status: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionNoticed(Event):
    """Something an operator should know that is no failure (root, secret in the environment)."""

    name: ClassVar[str] = "condition.noticed"
    level: ClassVar[Level] = Level.WARNING
    condition: str
    hint: str = ""
