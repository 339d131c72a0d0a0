"""Faults 24 and 25: others who hold what we need: connections, rows, both in the wrong order."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator

import asyncpg
from fakes.daemon_config import JOB
from fakes.daemon_process import DaemonProcess
from fakes.perils import EVERYBODY
from fakes.storm import Storms
from fakes.tcp_proxy import TcpProxy
from fakes.waiting import until

POOL = 2
DEADLOCKS = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
WAITING = """
    SELECT count(*) FROM pg_stat_activity
    WHERE wait_event_type = 'Lock' AND application_name = 'syncd'
"""


@contextlib.asynccontextmanager
async def somebody(daemon: DaemonProcess) -> AsyncIterator[asyncpg.Connection]:
    """Open a transaction in a session of somebody else."""
    address = daemon.database
    session = await asyncpg.connect(
        host=address.host,
        port=address.port,
        user=address.user,
        database=address.database,
        # In a deadlock it is not we who give way.
        server_settings={"search_path": daemon.schema, "deadlock_timeout": "60s"},
    )
    try:
        async with session.transaction():
            yield session
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
        async with somebody(daemon) as session:
            await session.execute("LOCK TABLE users IN ACCESS EXCLUSIVE MODE")
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
    holders = told["holders"].split(", ")
    assert told["connections"] == len(holders) == POOL
    assert all(re.fullmatch(r"UserStore\.\w+ \(\d s\)", each) for each in holders), holders
    assert refused.status == 503
    assert refused.body["error"].startswith("all 2 connections were in use for 1 s: UserStore.")
    assert re.search(r"^syncd_store_waits_given_up_total [1-9]", metrics, re.MULTILINE)
    assert [answer.result().status for answer in held] == [503, 503]
    assert again.status == 200


async def test_batch_that_dies_in_a_deadlock_is_committed_again_and_counted_once(
    storm: Storms,
) -> None:
    async with storm({f"jobs.{JOB}": {"claim": 16}}) as world:
        await world.calm()
        world.everybody_changes()
        daemon = world.daemon
        (before,) = await daemon.fetch(DEADLOCKS)
        async with somebody(daemon) as session:
            await session.execute("SELECT 1 FROM sync_state FOR UPDATE")
            run_id = await daemon.trigger()

            async def waits() -> bool:
                return bool((await daemon.fetch(WAITING))[0]["count"])

            await until(waits, what="a batch that waits for our lock")
            free = await session.fetch("SELECT account_id FROM profiles FOR UPDATE SKIP LOCKED")
            await session.execute(
                "UPDATE profiles SET name = name WHERE account_id = ("
                "SELECT min(account_id) FROM profiles WHERE account_id <> ALL($1))",
                [row["account_id"] for row in free],
            )
        run = await daemon.finished(run_id)
        world.oracle.learn("github")
        world.oracle.learn("forge")
        await world.oracle.check()
        (after,) = await daemon.fetch(DEADLOCKS)

    assert after["deadlocks"] > before["deadlocks"]
    assert (run["outcome"], run["updated"]) == ("succeeded", EVERYBODY)
    assert daemon.said("run.held_up") == daemon.said("store.lost") == []
