"""A control port before a real daemon's control, PostgreSQL and Valkey, with a leaderboard job.

In real time: a call of the replaced `sync` waits for the end of a run, or for five minutes, and
virtual time would jump there while PostgreSQL works.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import redis.asyncio
from fakes.boards import fill
from fakes.control import TOKEN
from fakes.controlled import Desk, controlled, text_for
from fakes.valkey import ValkeyServer

from syncd.clock import SystemClock
from syncd.model.address import PostgresAddress
from syncd.web.server import ControlServer, ControlSettings

JOB = "leaderboard"
TABLES = """
[redis]
host = "127.0.0.1"
port = {port}

[jobs.leaderboard]
kind = "leaderboard"
every = "1h"
{options}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """The desk, the server it follows, and a caller who shows the token."""

    desk: Desk
    server: ValkeyServer
    base: str
    session: aiohttp.ClientSession

    async def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Return status and body of a call."""
        async with self.session.request(method, self.base + path, json=body) as answer:
            is_json = answer.content_type == "application/json"
            return answer.status, await (answer.json() if is_json else answer.text())

    async def sync(self) -> tuple[int, Any]:
        """Let the replaced address sync; three times in a row at most."""
        return await self.ask("POST", "/api/periodic-sync/sync", {})

    async def status(self) -> tuple[Any, list[Any], list[Any]]:
        """Return the job on the first screen, then the problems and the notes there."""
        _, body = await self.ask("GET", "/api/status")
        (job,) = [job for job in body["jobs"] if job["name"] == JOB]
        return job, body["problems"], body["notes"]

    async def write(self, **boards: dict[str | bytes, float | str]) -> None:
        """Add scores to boards."""
        async with self.client() as client:
            await fill(client, boards)

    async def remove(self, *users: str) -> None:
        """Take users off every board."""
        async with self.client() as client:
            for name in ("daily", "weekly", "monthly", "yearly"):
                await client.zrem(f"leaderboard:{name}", *users)

    def client(self) -> redis.asyncio.Redis:
        return self.server.client()

    async def rows(self) -> int:
        """Count the rows of the table."""
        async with self.desk.core.database.connection() as connection:
            count: int = await connection.fetchval("SELECT count(*) FROM pomo_leaderboard")
        return count


@contextlib.asynccontextmanager
async def followed(
    address: PostgresAddress,
    schema: str,
    server: ValkeyServer,
    folder: Path,
    *,
    options: str = "",
) -> AsyncIterator[Followed]:
    """Serve the control port of a desk that fires; `options` are those of the job."""
    tables = TABLES.format(port=server.port, options=options)
    text = text_for(address, schema, "http://127.0.0.1:9") + tables
    authorized = {"Authorization": f"Bearer {TOKEN}"}
    settings = ControlSettings(port=0, token=TOKEN)
    clock = SystemClock()
    async with controlled(text, folder, clock, is_firing=True) as desk:
        await desk.core.health.ready.wait()
        desk.core.scheduler.settle(JOB, clock.now())
        async with (
            ControlServer(desk.control, settings, bus=desk.core.bus, clock=clock) as port,
            aiohttp.ClientSession(headers=authorized) as session,
        ):
            base = f"http://127.0.0.1:{port.port}"
            yield Followed(desk=desk, server=server, base=base, session=session)
