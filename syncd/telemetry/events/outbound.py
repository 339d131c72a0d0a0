"""What happens to requests, and what platforms ask of us."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from syncd.telemetry.events.base import Event, Level


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
    """The first good answer after a pause, an open breaker, a refusal or an odd answer.

    Or a person lifted what was in the way.
    """

    name: ClassVar[str] = "platform.recovered"
    platform: str
    credential: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialRefused(Event):
    """A platform refuses a credential: nothing is asked with it until a person mends it."""

    name: ClassVar[str] = "credential.refused"
    level: ClassVar[Level] = Level.ERROR
    platform: str
    credential: str
    error: str
    hint: str
