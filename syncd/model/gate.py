"""What the gate of a platform must remember over a restart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class GateState:
    """A long pause and an open breaker of one (platform, credential), in wall-clock time.

    `paused_until` None: no pause of more than a minute. `openings` says how often in a row the
    breaker opened (0: it is closed), `opened_at` when it did first, `open_until` when the next
    trial may leave, `failure` ("blocked", "transient") and `error` why. `used_up` says by the name
    of a resource when there will be more of it. `fingerprint` names the credential's content and
    the address: another one inherits nothing.
    """

    platform: str
    credential: str
    fingerprint: str = ""
    paused_until: datetime | None = None
    pause_cause: str = ""
    pauses_in_a_row: int = 0
    openings: int = 0
    opened_at: datetime | None = None
    open_until: datetime | None = None
    failure: str = ""
    error: str = ""
    used_up: Mapping[str, datetime] = field(default_factory=dict)
