"""The error tree: it says how far a failure reaches, so that callers catch by reach.

Every error tells what was attempted and with which values, and, where a person can mend it,
a hint in one sentence. Libraries' own exceptions end at the package that owns the library.
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from syncd.errors.asked import AlreadyRunning, BadInput, NotKnown, TooSoon, WrongState
from syncd.errors.delivery import DeliveryError, DeliveryUnknown, DeliveryWaits, Reach
from syncd.errors.root import SyncdError

# What is defined elsewhere in this package.
__all__ = [
    "AlreadyRunning",
    "BadInput",
    "DeliveryError",
    "DeliveryUnknown",
    "DeliveryWaits",
    "NotKnown",
    "Reach",
    "SyncdError",
    "TooSoon",
    "WrongState",
]


class ConfigError(SyncdError):
    """Reaches the process: the configuration cannot be used. Carries every problem at once.

    Args:
        problems: complete sentences, each naming its place (`config.toml:12: jobs.x: ...`).
    """

    def __init__(self, *problems: str, hint: str | None = None) -> None:
        super().__init__("\n".join(problems), hint=hint)
        self.problems = problems


class StartError(SyncdError):
    """Reaches the process: it cannot start here (port taken, second instance, old schema)."""


class SecondInstance(StartError):
    """Reaches the process: another syncd uses the same state directory."""


class SchemaUnfit(StartError):
    """Reaches the process: this syncd, or its role, cannot use the database's schema."""


class PortTaken(StartError):
    """Reaches the process: somebody else listens where the control port is to be."""


class Stopping(SyncdError):
    """Reaches one call: syncd is on its way down and starts nothing new."""

    retryable = True


class StoreUnavailable(SyncdError):
    """Reaches the run: PostgreSQL cannot be reached or broke off."""

    retryable = True


class NotLeading(SyncdError):
    """Reaches one call: another syncd on the same database leads; this one changes nothing.

    Args:
        leader: where its control port listens; empty where it has none or is not known.
    """

    retryable = True

    def __init__(self, message: str, *, leader: str = "", hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.leader = leader


class CacheUnavailable(SyncdError):
    """Reaches the run: Redis cannot be reached or broke off."""

    retryable = True


class CacheLoading(CacheUnavailable):
    """Reaches the run: Redis is there, but still reads its data from disk; soon it will answer."""


class RunError(SyncdError):
    """Reaches one run."""


class LeaseLost(RunError):
    """The run is no longer ours: another process ended it. Nothing may be written."""


class SourceUnavailable(RunError):
    """The database that a run reads from cannot be reached or broke off; nothing was written."""

    retryable = True


class SourceUnfit(RunError):
    """What is read from cannot be used as it is: a key of another type, a right that is missing."""


class TargetUnfit(RunError):
    """The table that is written to cannot be used as it is."""


class TargetBusy(RunError):
    """Another run, of whichever syncd, works on the table that is written to."""

    retryable = True


class KeysUnfit(RunError):
    """The keys that seal users' tokens are not there, or cannot be used."""


class SuspiciousPlan(RunError):
    """What the source says would remove so much that it is taken for an accident."""


class PlatformError(SyncdError):
    """Reaches one platform, for this run. `outcome` is the word of the outcome list."""

    outcome: ClassVar[str] = "config_error"


class RateLimited(PlatformError):
    """The platform, or our own quota, asks for a pause too long to wait through in place.

    Args:
        until: the instant (UTC) at which the pause ends.
    """

    outcome = "rate_limited"
    retryable = True

    def __init__(self, message: str, *, until: datetime, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.until = until


class OutageSuspected(RateLimited):
    """So many grants were refused that it is taken for the platform's failure; the run ends."""


class PlatformTrouble(PlatformError):
    """The platform failed where the fault may be the request's or the platform's.

    Args:
        until: the instant (UTC) until which nothing leaves, where it is known to be the
            platform's; None for a failure of this request.
        is_answer_lost: the request left and no whole answer came: what it asked for may have been
            done.
    """

    def __init__(
        self,
        message: str,
        *,
        until: datetime | None = None,
        hint: str | None = None,
        is_answer_lost: bool = False,
    ) -> None:
        super().__init__(message, hint=hint)
        self.until = until
        self.is_answer_lost = is_answer_lost


class PlatformDown(PlatformTrouble):
    """The platform failed (5xx, timeout, cut connection) after all attempts of this request."""

    outcome = "transient"
    retryable = True


class PlatformBlocked(PlatformTrouble):
    """The platform answered something that is not its API (captcha, maintenance, plain 403).

    Args:
        is_certain: whether the answer would be the same whichever account was asked for.
    """

    outcome = "blocked"
    retryable = True

    def __init__(
        self,
        message: str,
        *,
        until: datetime | None = None,
        hint: str | None = None,
        is_certain: bool = False,
    ) -> None:
        super().__init__(message, until=until, hint=hint)
        self.is_certain = is_certain


class SweepRefused(PlatformError):
    """The platform does not answer this credential for many at once; for one at a time it may."""


class PlatformChanged(PlatformError):
    """The platform answers everybody otherwise than it documents: a person must look."""

    outcome = "schema_error"


class CredentialsRejected(PlatformError):
    """The platform refuses our credential: stop the job, touch no user."""

    outcome = "config_error"


class ItemError(SyncdError):
    """Reaches one item; the others go on. `outcome` is the word of the outcome list.

    `sample` is set by who knows the answer it is about: its beginning, escaped, no credential.
    """

    outcome: ClassVar[str] = "schema_error"
    sample: str = ""


class AccountNotFound(ItemError):
    """The platform says that this account does not exist."""

    outcome = "not_found"


class AccountUnsuitable(ItemError):
    """The account exists but is not one we follow (an organization, suspended)."""

    outcome = "unsuitable"


class GrantUnreadable(ItemError):
    """The stored tokens of a user cannot be opened: their key is gone, or they were changed."""

    outcome = "unreadable"


class AccessExpired(ItemError):
    """The platform does not take an account's access token: a refresh may give a good one."""

    outcome = "reauth_required"


class GrantRefused(ItemError):
    """The platform refuses a refresh token; whether for good, only a later attempt shows."""

    outcome = "reauth_required"


class ReauthRequired(ItemError):
    """What the user granted does not do: only the user's new consent would."""

    outcome = "reauth_required"


class ConsentWithdrawn(ItemError):
    """The user opted out, paused or disconnected while the item was waiting."""

    outcome = "skipped"


class BadPayload(ItemError):
    """The answer is not what the platform documents; nothing of it may be stored."""

    outcome = "schema_error"


class WrongAccount(BadPayload):
    """The answer is about somebody else than was asked for: a person should know of it."""
