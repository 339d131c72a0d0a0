"""What Redis's refusals mean for a run, and how they are mended: one sentence each."""

from __future__ import annotations

from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    ClusterCrossSlotError,
    ClusterDownError,
    InvalidResponse,
    MovedError,
    NoPermissionError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TryAgainError,
)

from syncd.errors import CacheLoading, CacheUnavailable, SourceUnfit, SyncdError
from syncd.model.address import RedisAddress

HEALS_ITSELF = (ClusterDownError, TryAgainError)
LONGEST_SAYING = 200


def broken_off(address: RedisAddress, question: str, why: str) -> CacheUnavailable:
    """Return the error for a connection that cannot be used."""
    return CacheUnavailable(
        f"cannot use Redis {address}: {why}, asked for {question}",
        hint="check that the server runs and that [redis] names it rightly",
    )


def refused(address: RedisAddress, question: str, error: Exception) -> SyncdError:
    """Return what redis-py's error means: wait, mend the server, or mend the configuration."""
    # Of a Unix socket's greeting, redis-py wraps every error into one of the connection.
    if isinstance(error.__cause__, RedisError):
        error = error.__cause__
    said = str(error)[:LONGEST_SAYING].rstrip(".")
    if isinstance(error, BusyLoadingError):
        return CacheLoading(f"Redis {address} still loads its data")
    if isinstance(error, AuthenticationError):
        return SourceUnfit(
            f"Redis {address} refuses to let us in: {said}",
            hint="set the user name and the password_file of [redis]",
        )
    if isinstance(error, InvalidResponse):
        return broken_off(address, question, "what answers there is not Redis")
    if isinstance(error, HEALS_ITSELF) or said.startswith("BUSY "):
        return broken_off(address, question, said)
    if isinstance(error, ResponseError):
        what = f"Redis {address} refuses {question}: {said}"
        return SourceUnfit(what, hint=_mend(address, question, error, said))
    return broken_off(address, question, said or type(error).__name__)


def _mend(address: RedisAddress, question: str, error: ResponseError, said: str) -> str:
    command = question.partition(" ")[0]
    if isinstance(error, NoPermissionError):
        user = address.username or "default"
        return f"give the user of [redis] that right: ACL SETUSER {user} +{command.lower()} ~KEY"
    if isinstance(error, MovedError | ClusterCrossSlotError):
        return "name a server that holds all boards: syncd does not read Redis clusters"
    if isinstance(error, ReadOnlyError):
        return "name the master in [redis], or read without a dirty set: a replica takes no writes"
    if said.startswith("unknown command"):
        return f"use Redis 6.2 or newer, or Valkey, and do not rename {command}"
    if said.startswith("WRONGTYPE"):
        return "name another key, or remove what is there"
    return "mend what it says, on the server or in [redis]"
