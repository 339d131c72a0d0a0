"""What a person asked to leave alone for a while."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class PauseScope(StrEnum):
    """What a pause reaches."""

    ALL = "all"
    JOB = "job"
    PLATFORM = "platform"
    ACCOUNT = "account"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """A pause of everything, a job, a platform or an account.

    `key` is the job's or platform's name, `platform:handle` for an account, empty for all. Without
    `until` it lasts until somebody resumes.
    """

    scope: PauseScope
    key: str = ""
    why: str = ""
    until: datetime | None = None
    actor: str = ""
    paused_at: datetime
