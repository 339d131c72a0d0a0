"""What asyncpg raises, in our words."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator

import asyncpg

from syncd.errors import StoreUnavailable, SyncdError
from syncd.model.address import PostgresAddress

BROKEN = (
    OSError,
    asyncio.TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.PostgresSystemError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.ReadOnlySQLTransactionError,
)
_READS_ONLY = (asyncpg.TargetServerAttributeNotMatched, asyncpg.ReadOnlySQLTransactionError)
_COLLIDED = (
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.LockNotAvailableError,
    asyncpg.UniqueViolationError,
    asyncpg.ForeignKeyViolationError,
)
_UNFIT = (asyncpg.DataError, asyncpg.CheckViolationError, asyncpg.ProgramLimitExceededError)
# The tables of syncd are not there: not made yet, or just being restored.
_MISSING = (
    asyncpg.UndefinedTableError,
    asyncpg.UndefinedColumnError,
    asyncpg.InvalidSchemaNameError,
)
# What a server lacks, and what to do; it goes on by itself once that is there.
_LACKING = {
    asyncpg.DiskFullError: ("its disk is full", "free space on the disk of PostgreSQL"),
    asyncpg.OutOfMemoryError: ("it is out of memory", "give PostgreSQL more memory"),
    asyncpg.TooManyConnectionsError: (
        "it has no connection left",
        "raise max_connections there, or lower pool in [database]",
    ),
}
_REFUSED = (
    asyncpg.InvalidPasswordError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InsufficientPrivilegeError,
)


class RowRefused(SyncdError):
    """PostgreSQL refused a value (NUL, overflow): the batch must be split to find the bad row."""


class Collided(StoreUnavailable):
    """Another transaction was in the way (locks, a row that came or went): nothing was written."""


@contextlib.contextmanager
def translated(address: PostgresAddress) -> Iterator[None]:
    """Turn asyncpg's errors into ours; never repeat its texts, they may carry values."""
    try:
        yield
    except _REFUSED as exc:
        raise StoreUnavailable(
            f"PostgreSQL {address} refused the connection: {type(exc).__name__}",
            hint="check user, password_file, database and the grants of [database]",
        ) from exc
    except _MISSING as exc:
        raise StoreUnavailable(
            f"PostgreSQL {address} answers, but syncd's tables are not there: {type(exc).__name__}",
            hint="syncd makes them when it starts; were they dropped, restore them or restart it",
        ) from exc
    except _UNFIT as exc:
        raise RowRefused(f"PostgreSQL refused a value: {type(exc).__name__}") from exc
    except _COLLIDED as exc:
        raise Collided(f"PostgreSQL {address} undid a transaction: {type(exc).__name__}") from exc
    except BROKEN as exc:
        if _is_unfit_here(exc):
            raise RowRefused(f"asyncpg refused a value: {type(exc).__name__}") from exc
        raise StoreUnavailable(
            f"cannot use PostgreSQL {address}: {_cause(exc)}", hint=_hint(exc)
        ) from exc


def _is_unfit_here(exc: BaseException) -> bool:
    """Tell whether asyncpg's own check of an argument failed: an interface error by its class."""
    is_value = isinstance(exc, asyncpg.InterfaceError) and isinstance(exc, ValueError)
    return is_value and not isinstance(exc, asyncpg.ClientConfigurationError)


def _cause(exc: BaseException) -> str:
    """Say in a few words what broke; only texts that hold no values are repeated."""
    if isinstance(exc, TimeoutError):
        return "no answer in time"
    if isinstance(exc, _READS_ONLY):
        return "it only reads, as a standby does"
    for kind, (cause, _) in _LACKING.items():
        if isinstance(exc, kind):
            return cause
    if isinstance(exc, OSError):
        return exc.strerror or type(exc).__name__
    return type(exc).__name__


def _hint(exc: BaseException) -> str:
    for kind, (_, mend) in _LACKING.items():
        if isinstance(exc, kind):
            return f"{mend}: what runs waits for it and goes on by itself"
    return "check that the server runs and that [database] names it rightly"
