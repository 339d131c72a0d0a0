"""Fault 24: every connection is in use, and nobody gives one back."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator

import asyncpg
from fakes.daemon_process import DaemonProcess
from fakes.storm import Storms
from fakes.tcp_proxy import TcpProxy

POOL = 2


@contextlib.asynccontextmanager
async def users_locked(daemon: DaemonProcess) -> AsyncIterator[None]:
    """Keep everybody from the table of users, from a session of somebody else."""
    address = daemon.database
    session = await asyncpg.connect(
        host=address.host, port=address.port, user=address.user, database=address.database
    )
    try:
        async with session.transaction():
            await session.execute(f"LOCK TABLE {daemon.schema}.users IN ACCESS EXCLUSIVE MODE")
            yield
    finally:
        await session.close()


async def test_pool_in_which_nothing_is_free_is_counted_and_told_with_who_holds_it(
    storm: Storms, line: TcpProxy
) -> None:
    there = {"host": "127.0.0.1", "port": line.port, "user": "syncd", "pool": POOL}
    patience = {"connect_timeout": "1s", "command_timeout": "8s"}
    async with storm({"database": {**there, **patience}}) as world:
        await world.calm()
        daemon = world.daemon
        async with users_locked(daemon):
            held = [asyncio.create_task(daemon.api("GET", "/api/users")) for _ in range(POOL)]
            told = await daemon.told("store.exhausted")
            refused = await daemon.api("GET", "/api/runs")
            await daemon.told("store.lost")
            metrics = await daemon.get("/metrics")
            # A failover in the middle of it: who waits and who holds fail, and all goes on.
            await line.cut()
            await line.mend()
            await asyncio.gather(*held)
        await daemon.told("store.recovered")
        again = await daemon.api("GET", "/api/users")
        await world.heals()

    assert told["level"] == "warning"
    assert told["waited_seconds"] == 1
    assert len(told["holders"]) == POOL
    assert all(re.match(r"UserStore\.\w+ for \d\.\d s$", each) for each in told["holders"])
    assert refused.status == 503
    assert refused.body["error"].startswith(
        "no connection to PostgreSQL was free within 1 s: all 2 are in use, the longest by User"
    )
    assert re.search(r"^syncd_store_pool_exhausted_total [1-9]", metrics, re.MULTILINE)
    assert [answer.result().status for answer in held] == [503, 503]
    assert again.status == 200
