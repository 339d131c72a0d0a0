"""Leaderboards: boards in Redis, the table in PostgreSQL that follows them, and what lies between.

Everything a person decides, and everything a run decides by, is here as values; how they are read
and written is for `cache` and `store`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple, NewType

PlanId = NewType("PlanId", int)
BackupId = NewType("BackupId", int)

# So many characters of an id can be staged; four bytes each, any index holds them.
LONGEST_ID = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """A sorted set: `name` is ours, `key` is Redis's."""

    name: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The table that follows the boards; `schema` empty is syncd's own.

    `columns` names the column of each board, in the order of the boards.
    """

    table: str
    columns: Mapping[str, str]
    schema: str = ""
    user_column: str = "user_id"
    updated_column: str = "updated_at"

    def __str__(self) -> str:
        """Name the table for messages."""
        return f"{self.schema}.{self.table}" if self.schema else self.table


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardFacts:
    """A board as Redis tells of it; `members` 0: the key is not there.

    `expires_at` None: it has no time to live.
    """

    members: int
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFacts:
    """What Redis says of itself, before or after it was read.

    `server_id` changes with every start of the server (INFO's run_id), `keys` is its DBSIZE.
    `evicts` tells whether a full memory may cost a board, `is_stale` that it is a replica whose
    master does not answer.
    """

    server_id: str
    uptime_seconds: int
    evicted_keys: int
    keys: int
    evicts: bool
    is_replica: bool
    is_stale: bool
    boards: Mapping[str, BoardFacts]

    @property
    def members(self) -> int:
        """Return how many members all boards have together."""
        return sum(board.members for board in self.boards.values())


class Poisoned(NamedTuple):
    """A user who cannot be stored: `shown` is the id, escaped and cut; `reason` one sentence.

    `user_id` is the id as PostgreSQL may hold it, None where it can hold none like it.
    """

    shown: str
    reason: str
    user_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Some users as lines of COPY's text format: id, a score per board, when it was told.

    `members` counts, per board and in their order, the users of this page who are on it and whom no
    earlier walk through a board counted; summed over all pages, it is how many were seen of each.
    Those who were poisoned count as well. A user may be on several pages. `unreadable` details say
    nothing that could be understood of when it was told.
    """

    lines: bytes
    rows: int
    members: tuple[int, ...]
    poisoned: tuple[Poisoned, ...] = ()
    unreadable: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """What a run may delete without being asked.

    Deletions up to `rows`, or `share` of the table if that is more, of users who were missing in
    `runs` complete runs and for `wait`. Beyond `most_share` nothing is deleted without the typed
    number. Updates of more than `changed_share` of a table of over a thousand rows wait as well.
    """

    rows: int = 20
    share: float = 0.01
    most_share: float = 0.2
    changed_share: float = 0.9
    runs: int = 2
    wait: timedelta = timedelta(hours=24)
    canary: str = ""

    def allowance(self, base: int) -> int:
        """Return how many of `base` rows may be deleted unasked."""
        return max(self.rows, int(base * self.share))


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What lies between the boards and the table, in rows.

    `missing` rows of the table are on no board (users who were set aside do not count); of them
    `newly` were not missing before, `due` have been missing long enough, `approved` stand in an
    approved plan, `kept` were kept by a rejected one. `overturned` are updates in which a score
    became another one, neither from nor to nothing. `inexact` scores are whole numbers that a
    double cannot tell from their neighbours.
    """

    base: int
    users: int
    created: int
    updated: int
    overturned: int
    missing: int
    newly: int
    due: int
    approved: int
    kept: int
    protected: int
    inexact: int = 0
    has_canary: bool = True


class Deletes(StrEnum):
    """Which of those who are missing may be deleted."""

    NONE = "none"
    APPROVED = "approved"
    """Only those that a person approved."""
    DUE = "due"
    """Also those that waited long enough."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the guard lets a run do.

    `reasons` say, a sentence each, why something is held; `is_hard`: only the typed number lets it
    pass. `holds_deletes`: among what waits are deletions. `marks`: who is on no board
    is not there: may be written down as missing, and his letter settled.
    """

    reasons: tuple[str, ...] = ()
    is_hard: bool = False
    holds_deletes: bool = False
    marks: bool = True
    updates: bool = True
    deletes: Deletes = Deletes.DUE

    @property
    def is_held(self) -> bool:
        """Tell whether something waits for a person."""
        return bool(self.reasons)


class PlanState(StrEnum):
    """How far a plan has come."""

    HELD = "held"
    APPROVED = "approved"
    REJECTED = "rejected"
    APPLIED = "applied"
    EXPIRED = "expired"
    REPLACED = "replaced"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Deletions, and updates where `holds_updates`, that wait for a person.

    Its rows never change; `digest` stands for them. `base` is how many rows the table had.
    """

    id: PlanId
    job: str
    run_id: int
    state: PlanState
    deletes: int
    updates: int
    holds_updates: bool
    base: int
    reasons: tuple[str, ...]
    is_hard: bool
    digest: str
    sample: tuple[str, ...]
    created_at: datetime
    expires_at: datetime
    decided_at: datetime | None = None
    decided_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardDrift:
    """One board on both sides: users with a score there, and the sum of these."""

    redis_users: int
    redis_sum: float
    postgres_users: int
    postgres_sum: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """How far the table is from the boards after a run.

    `rows` differ although nothing holds them back; `held` wait for a person, `waiting` for being
    missing long enough, `kept` by a rejected plan, `protected` because the user was set aside.
    """

    redis_users: int
    postgres_users: int
    rows: int
    held: int = 0
    waiting: int = 0
    kept: int = 0
    protected: int = 0
    boards: Mapping[str, BoardDrift] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciliation:
    """What a run came to, besides the counts that every run has.

    `missing` rows of the table were on no board, `allowance` of them could go unasked.
    `mode` is "full" or "incremental", `seconds` how long each phase took; `source` the facts that
    Redis told before.
    """

    run_id: int
    job: str
    mode: str
    is_complete: bool
    is_dry: bool
    at: datetime
    base: int = 0
    users: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    deleted: int = 0
    held: int = 0
    waiting: int = 0
    missing: int = 0
    allowance: int = 0
    conflicts: int = 0
    errors: int = 0
    unreadable_details: int = 0
    inexact: int = 0
    verdict: Verdict = Verdict()
    plan: PlanId | None = None
    digest: str = ""
    sample: tuple[str, ...] = ()
    backup: BackupId | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    drift: Drift | None = None
    source: SourceFacts | None = None
