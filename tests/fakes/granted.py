"""Grants on a real PostgreSQL: a store with keys of its own, and users who granted something."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from syncd.model.account import AccountId
from syncd.model.grant import Grant, GrantEntry, Renewed
from syncd.store.database import Database
from syncd.store.fence import Fence
from syncd.store.grants import GrantStore
from syncd.store.key_file import KeyFile
from syncd.store.sealing import Sealer

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
CONSENT = datetime(2026, 11, 1, 9, 30, tzinfo=UTC)


def entry(key: str, number: int = 0, **changes: Any) -> GrantEntry:
    """What the platform's own site hands over for a user."""
    given: dict[str, Any] = {
        "key": key,
        "platform": "spotify",
        "handle": f"{key}-there",
        "refresh_token": f"canary-refresh-{key}-{number}",
        "granted_at": CONSENT,
    }
    return GrantEntry(**{**given, **changes})


def renewed(number: int = 1, **changes: Any) -> Renewed:
    """An answer to a refresh, with a new refresh token unless told otherwise."""
    given: dict[str, Any] = {
        "access_token": f"canary-access-{number}",
        "expires_in_seconds": 3600.0,
        "refresh_token": f"canary-refresh-new-{number}",
    }
    return Renewed(**{**given, **changes})


def store_of(database: Database, keys: Path) -> GrantStore:
    """A store as another process has it: nothing shared but the database and the key file."""
    return GrantStore(database, Fence(), Sealer(KeyFile(keys)))


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    return tmp_path / "token-keys"


@pytest.fixture
def grants(database: Database, key_file: Path) -> GrantStore:
    return store_of(database, key_file)


async def ids(database: Database) -> Mapping[str, AccountId]:
    """Every account by its user's key."""
    async with database.connection() as connection:
        rows = await connection.fetch(
            "SELECT users.key, accounts.id FROM accounts JOIN users ON users.id = accounts.user_id"
        )
    return {row["key"]: AccountId(row["id"]) for row in rows}


async def given(grants: GrantStore, database: Database, *keys: str) -> list[AccountId]:
    """Accounts whose users granted something just now."""
    result = await grants.put([entry(key) for key in keys], dry_run=False)
    assert not result.problems
    known = await ids(database)
    return [known[key] for key in keys]


async def one(grants: GrantStore, account: AccountId) -> Grant:
    """The grant of an account, which can be read."""
    found = (await grants.load([account]))[account]
    assert isinstance(found, Grant)
    return found


async def change(database: Database, sql: str, *values: Any) -> None:
    """Do to the database what time, or somebody else, would."""
    async with database.connection() as connection:
        await connection.execute(sql, *values)


async def values(database: Database, sql: str, *arguments: Any) -> list[Any]:
    """The first column of a question."""
    async with database.connection() as connection:
        return [row[0] for row in await connection.fetch(sql, *arguments)]


async def states(database: Database) -> dict[str, tuple[str, str]]:
    """How accounts stand, and why, by their users' keys."""
    async with database.connection() as connection:
        rows = await connection.fetch(
            "SELECT users.key, accounts.state, accounts.state_reason"
            " FROM accounts JOIN users ON users.id = accounts.user_id"
        )
    return {row["key"]: (row["state"], row["state_reason"]) for row in rows}
