"""What people changed of a job while syncd runs: kept beside config.toml, and put over it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """What stands in place of a job's keys in config.toml; None leaves a key as it is there.

    `schedule` and `every` stand in place of both.
    """

    job: str
    enabled: bool | None = None
    schedule: str | None = None
    every: timedelta | None = None
    timezone: str | None = None
    why: str = ""
    actor: str = ""
    changed_at: datetime

    @property
    def is_empty(self) -> bool:
        """Tell whether it leaves every key as it is."""
        return (self.enabled, self.schedule, self.every, self.timezone) == (None,) * 4


@dataclass(frozen=True, slots=True, kw_only=True)
class JobChange:
    """What a person wants to be different; None leaves it as it is now.

    `every` is text, as it would stand in config.toml. `reset` goes back to config.toml.
    `catch_up` makes up for what passed while the job did not fire, else that is forgotten.
    """

    enabled: bool | None = None
    schedule: str | None = None
    every: str | None = None
    timezone: str | None = None
    why: str = ""
    reset: bool = False
    catch_up: bool = False
