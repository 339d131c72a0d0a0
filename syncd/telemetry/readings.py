"""What is measured when somebody looks at the metrics: by the gates, and by PostgreSQL."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

Values = Mapping[tuple[str, ...], float]
"""The value of each series by its labels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateReading:
    """What one credential's gate says: `calls` have left and ended, of them `saved` cost nothing.

    `quotas_left` goes by resource and is infinite where nobody sets a limit, `pause_ends_at` None
    while there is none with an end; `is_held` tells that a person paused the platform, and
    `pause_cause` why the platform itself asked for a pause (empty: it did not).
    """

    platform: str
    credential: str
    calls: int
    saved: int
    quotas_left: Mapping[str, float]
    pause_ends_at: datetime | None
    is_held: bool = False
    pause_cause: str = ""

    def limited(self) -> Iterator[tuple[str, float]]:
        """Yield what is left of each resource that has a limit."""
        return ((name, left) for name, left in self.quotas_left.items() if left < math.inf)


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardReading:
    """How tables follow leaderboards, as of each job's newest run that compared both sides.

    `users` goes by job and side ("redis", "postgresql"), `sums` by job, board and side, `seconds`
    by job and phase, everything else by job.
    """

    users: Values = field(default_factory=dict)
    sums: Values = field(default_factory=dict)
    rows: Values = field(default_factory=dict)
    held: Values = field(default_factory=dict)
    waiting: Values = field(default_factory=dict)
    seconds: Values = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxReading:
    """Deliveries that are not settled, by channel and state; the rest by channel."""

    deliveries: Values = field(default_factory=dict)
    due_since: Mapping[tuple[str, ...], datetime] = field(default_factory=dict)
    dead: Values = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreReading:
    """What PostgreSQL said at `at`.

    `accounts` counts by platform and state, `letters` open dead letters by platform and job,
    `stale_since` goes by platform and quantile; `fresh_shares` (0 to 1), `last_successes` and
    `last_completed` by job; `boards` is about leaderboards, `outbox` about deliveries; `contests`
    counts by platform and state, `looked_at` is when each source last told a good list of them.
    """

    at: datetime
    accounts: Values = field(default_factory=dict)
    letters: Values = field(default_factory=dict)
    stale_since: Mapping[tuple[str, ...], datetime] = field(default_factory=dict)
    fresh_shares: Mapping[str, float] = field(default_factory=dict)
    last_successes: Mapping[str, datetime] = field(default_factory=dict)
    last_completed: Mapping[str, datetime] = field(default_factory=dict)
    boards: BoardReading = field(default_factory=BoardReading)
    contests: Values = field(default_factory=dict)
    looked_at: Mapping[str, datetime] = field(default_factory=dict)
    outbox: OutboxReading = field(default_factory=OutboxReading)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What is measured at `at`, the moment of a scrape; `store` is what PostgreSQL said last.

    `waits_given_up` counts how often no connection to it became free in time, `is_config_ok` tells
    whether config.toml could be used when it was read last.
    """

    at: datetime
    is_store_up: bool
    is_config_ok: bool
    gates: Sequence[GateReading]
    store: StoreReading | None
    lines_dropped: int
    is_leader: bool = False
    waits_given_up: int = 0
