"""What happens to the process, its servers, its store and its control port."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from syncd.telemetry.events.base import Event, Level


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


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockJumped(Event):
    """The wall clock is not where it was expected; fires are decided by what it shows now.

    `kind` is `late` (up to five minutes, whatever the reason), `suspended` (the machine or syncd
    stood still), `forward` or `backward` (up to three hours), `corrected_forward` or
    `corrected_backward` (more).
    """

    name: ClassVar[str] = "clock.jumped"
    level: ClassVar[Level] = Level.WARNING
    kind: str
    seconds: float
