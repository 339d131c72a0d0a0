"""What came of one item of a run, on its way into the store."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from syncd.model.account import Account
from syncd.model.play import Heard
from syncd.model.profile import Alike, Fetched, Unchanged


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """An account a run took on, with when it was last attempted and the tries of this run.

    `seen` is the digest by which a sweep of this run noticed a change; empty where none did.
    """

    account: Account
    attempted_at: datetime
    attempts: int = 0
    seen: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Success:
    """The platform answered; whether anything changed is found when it is stored.

    `seen` is what a sweep said just before; it is believed rather than the answer's own mark.
    """

    account: Account
    answer: Fetched | Unchanged | Alike | Heard
    seen: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """The run is through with the account without a good answer.

    `outcome` is a word of the outcome list; `rest_seconds` how long the account rests after a
    first failure. With `quarantine` it is set aside at once, with `wears_out` after some failures
    in a row: it is not asked again but once a week, and a dead letter waits for a person. `sample`
    is the beginning of the answer, escaped and without credentials, where there was one.
    """

    account: Account
    outcome: str
    error: str
    rest_seconds: float = 900.0
    quarantine: bool = False
    wears_out: bool = False
    sample: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """The same run tries the account again at `due_at`, after `attempts` tries."""

    account: Account
    outcome: str
    error: str
    due_at: datetime
    attempts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawn:
    """The account was opted out, paused or disconnected after it was claimed; nothing was asked."""

    account: Account


Item = Success | Failure | Retry | Withdrawn
