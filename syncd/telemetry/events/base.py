"""What every event is: a frozen dataclass whose `name` is the constant that logs carry."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar


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
