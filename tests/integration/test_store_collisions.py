"""Transactions of others in the way: what is tried again, how often, and what is not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest

from syncd.errors import StoreUnavailable
from syncd.store.database import Database
from syncd.store.translation import Collided, RowRefused


async def test_transactions_that_lock_each_other_out_are_both_done_in_the_end(
    database: Database,
) -> None:
    async with database.connection() as connection:
        await connection.execute("INSERT INTO users (key) VALUES ('a'), ('b')")
    both_hold_one = asyncio.Barrier(2)
    first_time = {"a", "b"}

    async def touch(key: str, other: str) -> None:
        async with database.transaction() as connection:
            await connection.execute("UPDATE users SET opted_out = true WHERE key = $1", key)
            if key in first_time:
                first_time.discard(key)
                await both_hold_one.wait()
            await connection.execute("UPDATE users SET opted_out = true WHERE key = $1", other)

    await asyncio.gather(
        database.repeat(lambda: touch("a", "b")), database.repeat(lambda: touch("b", "a"))
    )

    async with database.connection() as connection:
        assert await connection.fetchval("SELECT bool_and(opted_out) FROM users")


async def test_what_always_collides_is_given_up_after_five_times(database: Database) -> None:
    tries = 0

    async def collide() -> None:
        nonlocal tries
        tries += 1
        async with database.connection() as connection:
            await connection.execute("INSERT INTO users (key) VALUES ('twice'), ('twice')")

    with pytest.raises(Collided):
        await database.repeat(collide)

    assert tries == 5


@asynccontextmanager
async def another_session(database: Database) -> AsyncIterator[asyncpg.Connection]:
    """Be somebody else who works on the same tables."""
    settings = database.settings
    session = await asyncpg.connect(
        host=settings.address.host,
        port=settings.address.port,
        user=settings.address.user,
        database=settings.address.database,
        server_settings={"search_path": settings.schema},
    )
    try:
        yield session
    finally:
        await session.close()


async def two_users(database: Database) -> None:
    async with database.connection() as connection:
        await connection.execute("INSERT INTO users (key) VALUES ('a'), ('b')")


async def opt_out(connection: Any, key: str) -> None:
    await connection.execute("UPDATE users SET opted_out = true WHERE key = $1", key)


async def is_opted_out(database: Database, key: str) -> bool:
    async with database.connection() as connection:
        return bool(await connection.fetchval("SELECT opted_out FROM users WHERE key = $1", key))


async def test_row_that_changed_under_a_serializable_transaction_is_tried_again(
    database: Database,
) -> None:
    await two_users(database)
    tries = 0

    async def step() -> None:
        nonlocal tries
        tries += 1
        async with (
            database.connection() as connection,
            connection.transaction(isolation="serializable"),
        ):
            await connection.fetchval("SELECT count(*) FROM users")
            if tries < 3:  # 40001: what it saw is not there any more
                async with another_session(database) as other:
                    await other.execute("UPDATE users SET last_login_at = now() WHERE key = 'a'")
            await opt_out(connection, "a")

    await database.repeat(step)

    assert tries == 3
    assert await is_opted_out(database, "a")


async def test_lock_that_is_not_had_in_time_is_tried_again(database: Database) -> None:
    await two_users(database)
    tries = 0
    async with another_session(database) as other:
        holding = other.transaction()
        await holding.start()
        await opt_out(other, "b")

        async def step() -> None:
            nonlocal tries
            tries += 1
            if tries == 3:
                await holding.commit()
            async with database.transaction() as connection:
                await connection.execute("SET LOCAL lock_timeout = '20ms'")  # 55P03
                await opt_out(connection, "b")

        await database.repeat(step)

    assert tries == 3


OTHERS = {
    "22012": RowRefused,
    "25006": StoreUnavailable,
    "42703": StoreUnavailable,
    "53100": StoreUnavailable,
    "53300": StoreUnavailable,
    "57014": StoreUnavailable,
    "XX000": asyncpg.InternalServerError,
}


@pytest.mark.parametrize("state", OTHERS)
async def test_what_no_other_transaction_is_to_blame_for_is_tried_once(
    database: Database, state: str
) -> None:
    tries = 0

    async def step() -> None:
        nonlocal tries
        tries += 1
        async with database.transaction() as connection:
            await connection.execute(
                f"DO $$ BEGIN RAISE EXCEPTION 'provoked' USING ERRCODE = '{state}'; END $$"
            )

    with pytest.raises(OTHERS[state]):
        await database.repeat(step)

    assert tries == 1
