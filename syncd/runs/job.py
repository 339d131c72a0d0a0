"""A job of config.toml, ready to run."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from syncd.jobs.base import JobKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A named job: its kind with the options bound, and how its runs are bounded.

    `timeout` None means the kind's own: item-driven kinds end before their next fire time, others
    after ten minutes. `limit` caps the items of every run, `alerts` tells whether somebody is told
    of its trouble.
    """

    name: str
    kind: str
    work: JobKind[Any]
    enabled: bool = True
    timeout: timedelta | None = None
    limit: int | None = None
    run_on_start: bool = False
    alerts: bool = True
