"""The storm on a PostgreSQL whose line strikes where it is told to: kill points without hooks.

    async with perils(storm, postgres) as peril:
        await peril.world.link()
        await peril.dies_at(Point(sql=COMMIT, within=REPORT, nth=2), peril.trigger)
        await peril.world.daemon.start()

What is where in the conversation is told by SQL; everything else is the daemon as it is.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

from fakes.control_caller import TRANSIENT
from fakes.daemon_config import JOB, Tables, merged
from fakes.postgres_proxy import Point, PostgresProxy, postgres_proxy
from fakes.storm import USERS, Storm, Storms
from fakes.waiting import DEADLINE_SECONDS, until

from syncd.model.address import PostgresAddress

CLAIM_FIRE = r"INSERT INTO runs\b.*\bfire_time\b"
CREATE = r"INSERT INTO runs\b"
BEGIN = r"UPDATE runs\b.*SET outcome = 'running'"
REPORT = r"UPDATE runs\b.*SET created = (runs\.)?created \+"
FINISH = r"UPDATE runs\b.*SET outcome = .*finished_at = COALESCE"
COMMIT = r"^COMMIT"

ABOUT_JOB = JOB.encode()
# Pages of four, so that a run of 12 users on each of two platforms commits six times at least.
SMALL_PAGES = {f"jobs.{JOB}": {"claim": 16}}
EVERYBODY = 2 * len(USERS)

Fetches = Mapping[tuple[str, int], int]

COMMITTED_SINCE = """
    SELECT accounts.platform, users.key FROM sync_state
    JOIN accounts ON accounts.id = sync_state.account_id
    JOIN users ON users.id = accounts.user_id
    WHERE sync_state.attempted_at >= (SELECT started_at FROM runs WHERE id = $1)
"""


def about(run_id: int) -> bytes:
    """Return what stands in the values of a statement about a run."""
    return struct.pack("!q", run_id)


class Peril:
    """A storm and the line to its database."""

    def __init__(self, world: Storm, proxy: PostgresProxy) -> None:
        self.world = world
        self.proxy = proxy

    async def dies_at(self, point: Point, order: Callable[[], Awaitable[object]]) -> None:
        """Give an order, and kill the daemon when it comes to a point."""
        daemon = self.world.daemon
        fell = self.proxy.strike(point, lambda: os.kill(daemon.pid, signal.SIGKILL))
        await order()
        await self.has_fallen(fell)
        assert await daemon.ended() == -signal.SIGKILL

    async def loses_reply_at(self, point: Point, order: Callable[[], Awaitable[object]]) -> None:
        """Give an order, and cut the connection when it comes to a point."""
        fell = self.proxy.strike(point)
        await order()
        await self.has_fallen(fell)

    async def has_fallen(self, fell: asyncio.Event) -> None:
        async with asyncio.timeout(DEADLINE_SECONDS):
            await fell.wait()

    async def trigger(self) -> None:
        """Ask for a run, when there can be one; the answer may be lost with the daemon."""
        daemon = self.world.daemon

        async def ask() -> bool:
            ready = await daemon.api("GET", "/ready")
            if ready.status != 200 or (await daemon.get(f"/api/jobs/{JOB}"))["running"]:
                return False
            answer = await daemon.api("POST", f"/api/jobs/{JOB}/trigger", {})
            return answer.status == 202

        with contextlib.suppress(*TRANSIENT):
            await until(ask, what="a run that is taken")

    async def newest(self) -> Any:
        """Return the newest row of the job."""

        async def ask() -> Any:
            return await self.world.daemon.fetch(
                "SELECT * FROM runs WHERE job = $1 ORDER BY id DESC LIMIT 1", JOB
            )

        return (await until(ask, what="a run"))[0]

    async def committed(self, run_id: int) -> set[tuple[str, int]]:
        """Return whose answers a run has committed."""
        rows = await self.world.daemon.fetch(COMMITTED_SINCE, run_id)
        return {(row["platform"], int(row["key"].removeprefix("u"))) for row in rows}

    def fetches(self) -> Fetches:
        """Return how often each account was asked for, as the platforms counted it."""
        standins = {"github": self.world.github, "forge": self.world.forge}
        return {
            (name, index): standin.counters.fetches(index)
            for name, standin in standins.items()
            for index in USERS
        }

    async def goes_on(self) -> tuple[Mapping[str, Any], Fetches]:
        """Start again; return how the newest run ended, and what was asked for since the start."""
        before = self.fetches()
        run_id = (await self.newest())["id"]
        await self.world.daemon.start()
        run = await self.world.daemon.finished(run_id)
        after = self.fetches()
        return run, {place: after[place] - before[place] for place in after}

    async def check(self, run: Mapping[str, Any]) -> None:
        """Ask the oracle, and whether the run counted everybody once."""
        self.world.oracle.learn("github")
        self.world.oracle.learn("forge")
        await self.world.oracle.check()
        assert run["outcome"] == "succeeded", run
        assert run["seen"] == run["created"] + run["updated"] == EVERYBODY, run


Perils = Callable[..., contextlib.AbstractAsyncContextManager[Peril]]
"""The fixture: `async with perils(tables) as peril`."""


@contextlib.asynccontextmanager
async def perils(
    storm: Storms, postgres: PostgresAddress, over: Tables | None = None, **more: Any
) -> AsyncIterator[Peril]:
    """Start a storm whose daemon reaches its database through the proxy."""
    async with postgres_proxy(postgres) as proxy:
        there = {
            "host": "127.0.0.1",
            "port": proxy.port,
            "user": postgres.user,
            "database": postgres.database,
        }
        usual = merged({"database": there}, SMALL_PAGES)
        async with storm(merged(usual, over or {}), **more) as world:
            yield Peril(world, proxy)
