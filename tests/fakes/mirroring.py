"""A platform with a PostgreSQL of its own, and a syncd that mirrors its users."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from fakes.controlled import text_for
from fakes.waiting import until

from syncd.clock import SystemClock
from syncd.daemon.control import Control
from syncd.daemon.core import Core, assemble
from syncd.daemon.settings import load_config
from syncd.model.address import PostgresAddress
from syncd.model.run import Outcome, RunOptions
from syncd.store.database import Database
from syncd.telemetry.bus import Bus

QUERY = "SELECT id AS key, github, seen_at AS last_login_at FROM members"

_numbers = itertools.count(1)


async def connect(address: PostgresAddress) -> asyncpg.Connection:
    return await asyncpg.connect(
        host=address.host, port=address.port, user=address.user, database=address.database
    )


def url_of(address: PostgresAddress) -> str:
    if address.host.startswith("/"):
        at = f"{address.user}@/{address.database}?host={address.host}&port={address.port}"
        return f"postgresql://{at}"
    return f"postgresql://{address.user}@{address.host}:{address.port}/{address.database}"


class Members:
    """The platform's own table of users, in a database of its own."""

    def __init__(self, address: PostgresAddress, connection: asyncpg.Connection) -> None:
        self.address = address
        self._connection = connection

    async def tell(self, sql: str, *values: Any) -> None:
        await self._connection.execute(sql, *values)

    async def join(self, count: int, *, first: int = 0) -> None:
        """Sign up m00000, m00001, ... linked to gh-0, gh-1, ..."""
        await self.tell(
            "INSERT INTO members SELECT 'm' || lpad(n::text, 5, '0'), 'gh-' || n, "
            "'2026-01-01T00:00Z' FROM generate_series($1::int, $2::int) AS n",
            first,
            first + count - 1,
        )


@contextlib.asynccontextmanager
async def platform_database(postgres: PostgresAddress) -> AsyncIterator[Members]:
    name = f"platform_{os.getpid()}_{next(_numbers)}"
    server, address = await connect(postgres), replace(postgres, database=name)
    await server.execute(f"CREATE DATABASE {name} TEMPLATE template0")
    connection = await connect(address)
    await connection.execute(
        "CREATE TABLE members (id text, github text, seen_at timestamptz, codeforces text)"
    )
    try:
        yield Members(address, connection)
    finally:
        await connection.close()
        await server.execute(f"DROP DATABASE {name} WITH (FORCE)")
        await server.close()


@pytest.fixture
async def members(postgres: PostgresAddress) -> AsyncIterator[Members]:
    async with platform_database(postgres) as members:
        yield members


class Mirror:
    """A syncd without a port: trigger the mirror, look at what it made of it."""

    def __init__(self, core: Core, control: Control) -> None:
        self.core = core
        self.control = control

    async def start(self, **options: Any) -> int:
        return int((await self.control.trigger("users", RunOptions(**options), None))["id"])

    async def run(self, **options: Any) -> dict[str, Any]:
        return await self.end(await self.start(**options))

    async def end(self, run_id: int) -> dict[str, Any]:
        async def ask() -> dict[str, Any] | None:
            run = await self.control.run(run_id)
            return run if Outcome(run["outcome"]).is_final else None

        found = await until(ask, what=f"run {run_id} to end")
        assert found is not None
        return found

    async def handles(self) -> dict[str, str | None]:
        """Return every user with the GitHub handle they are linked to."""
        return {
            user["key"]: next((each["handle"] for each in user["accounts"]), None)
            for user in await self.control.users("", 100_000)
        }

    async def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        async with self.core.database.connection() as connection:
            return [dict(row) for row in await connection.fetch(query, *values)]

    async def problems(self) -> list[str]:
        return [problem["what"] for problem in (await self.control.status())["problems"]]


@contextlib.asynccontextmanager
async def mirroring(
    database: Database, folder: Path, source: PostgresAddress | str, **users: Any
) -> AsyncIterator[Mirror]:
    """Bring up a syncd over `database`'s schema whose [users] reads from `source`."""
    url = source if isinstance(source, str) else url_of(source)
    table = {"query": QUERY, "url": url, **users}
    text = text_for(database.settings.address, database.settings.schema, "http://127.0.0.1:9")
    lines = "\n".join(f"{key} = {json.dumps(value)}" for key, value in table.items())
    (folder / "config.toml").write_text(f"{text}\n[users]\n{lines}\n")
    (folder / "config.toml").chmod(0o600)
    bus = Bus()
    config = load_config(folder / "config.toml", {"TOKEN": "t"})
    core = assemble(config, SystemClock(), bus, is_firing=False)
    control = Control(core)
    with bus.subscribed(control.note):
        async with core, asyncio.TaskGroup() as group:
            watching = group.create_task(core.health.watch())
            await core.health.ready.wait()
            yield Mirror(core, control)
            watching.cancel()


@pytest.fixture
async def mirror(database: Database, members: Members, tmp_path: Path) -> AsyncIterator[Mirror]:
    async with mirroring(database, tmp_path, members.address) as mirror:
        yield mirror
