"""Connections that are all in use, and a server that only reads after a failover."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
import structlog
from structlog.testing import capture_logs

from syncd.clock import SystemClock
from syncd.errors import StoreUnavailable
from syncd.store.database import Database


@pytest.fixture
async def narrow(database: Database) -> AsyncIterator[Database]:
    settings = replace(database.settings, pool=2, connect_timeout=timedelta(seconds=1))
    async with Database(settings, SystemClock()) as narrow:
        yield narrow


async def test_who_waits_in_vain_is_told_who_holds_every_connection(narrow: Database) -> None:
    done = asyncio.Event()

    async def hold(run_id: int, has_it: asyncio.Event) -> None:
        with structlog.contextvars.bound_contextvars(job="sync", run_id=run_id):
            async with narrow.connection():
                has_it.set()
                await done.wait()

    async with asyncio.TaskGroup() as group:
        for run_id in (7, 8):
            has_it = asyncio.Event()
            group.create_task(hold(run_id, has_it))
            await has_it.wait()
        with capture_logs() as lines, pytest.raises(StoreUnavailable) as refusal:
            await narrow.ping()
        done.set()

    holders = str(refusal.value).removeprefix("all 2 connections were in use for 1 s: ")
    assert sorted(re.findall(r"of run (\d) \(1 s\)", holders)) == ["7", "8"]
    assert narrow.waits_given_up == 1
    assert [line["holders"] for line in lines] == [holders]
    assert await narrow.ping() >= 0, "it goes on once they are through"


async def test_a_server_that_only_reads_is_away_until_it_writes_again(database: Database) -> None:
    role = f"role_{uuid4().hex[:8]}"
    schema = database.settings.schema
    async with database.connection() as owner:
        await owner.execute(
            f"CREATE ROLE {role} LOGIN; GRANT USAGE ON SCHEMA {schema} TO {role};"
            f"GRANT ALL ON ALL TABLES IN SCHEMA {schema} TO {role};"
            f"GRANT ALL ON ALL SEQUENCES IN SCHEMA {schema} TO {role}"
        )
    address = replace(database.settings.address, user=role)

    async def say(read_only: str) -> None:
        async with database.connection() as owner:
            await owner.execute(
                f"ALTER ROLE {role} SET default_transaction_read_only = {read_only}"
            )

    async with Database(replace(database.settings, address=address), SystemClock()) as failing:
        await write(failing, "before")
        async with failing.connection() as connection:
            # What is connected stays so, and finds out when it writes.
            pid = await connection.fetchval("SELECT pg_backend_pid()")
        await say("on")
        with pytest.raises(StoreUnavailable, match="it only reads"):
            await write(failing, "on a standby", "SET TRANSACTION READ ONLY")
        with pytest.raises(StoreUnavailable, match="it only reads"):
            await write(failing, "on a new connection")

        await say("off")
        await write(failing, "after")
        async with failing.connection() as connection:
            assert await connection.fetchval("SELECT pg_backend_pid()") != pid

    async with database.connection() as owner:
        rows = await owner.fetch("SELECT key FROM users ORDER BY key")
    assert [row["key"] for row in rows] == ["after", "before"]


async def write(database: Database, key: str, *first: str) -> None:
    async with database.transaction() as connection:
        for statement in first:
            await connection.execute(statement)
        await connection.execute("INSERT INTO users (key) VALUES ($1)", key)
