"""The right to lead: of several processes on one database one fires and executes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

LEADER = "leader"
"""The name of the lease."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A process that may lead.

    `holder` names it for people, `instance` its state directory: of two processes with the same
    one the earlier is dead. `listen` is where its control port is.
    """

    holder: str
    instance: str = ""
    listen: str = ""
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """Who leads; each time somebody begins to, `epoch` is another.

    `seconds_left` was true by the database's clock when it was asked; not positive: nobody leads.
    """

    holder: str
    instance: str
    epoch: int
    taken_at: datetime
    listen: str
    version: str
    seconds_left: float
