"""What people change while syncd runs: jobs, and config.toml."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from syncd.telemetry.events.base import Event, Level


@dataclass(frozen=True, slots=True, kw_only=True)
class JobChanged(Event):
    """Somebody switched a job on or off, or changed when it fires: `change` says what."""

    name: ClassVar[str] = "job.changed"
    job: str
    change: str
    actor: str
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PauseChanged(Event):
    """Somebody paused or resumed something: `change` says what."""

    name: ClassVar[str] = "pause.changed"
    scope: str
    key: str
    change: str
    actor: str
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanDecided(Event):
    """Somebody approved or rejected the plan of that number, which deletes `deletes` rows."""

    name: ClassVar[str] = "plan.decided"
    job: str
    plan: int
    decision: str
    deletes: int
    actor: str
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigReloaded(Event):
    """config.toml was read again and applied; keys in `needs_restart` were not."""

    name: ClassVar[str] = "config.reloaded"
    actor: str
    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]
    needs_restart: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigRefused(Event):
    """config.toml was read again and cannot be used; what ran goes on as it was."""

    name: ClassVar[str] = "config.refused"
    level: ClassVar[Level] = Level.ERROR
    actor: str
    error: str
    hint: str = ""
