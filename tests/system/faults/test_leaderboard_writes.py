"""Faults 6 and 12 of a leaderboard run: killed while it deletes, frozen in its midst."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from fakes.boards import fill
from fakes.daemon_config import Tables
from fakes.daemon_process import DaemonProcess, Start
from fakes.leaders import LEASE_SECONDS, STANDBY, Place, standing_by
from fakes.mirroring import connect
from fakes.postgres_proxy import Point, When, postgres_proxy
from fakes.sandbox_process import sandbox_process
from fakes.valkey import ValkeyServer
from fakes.waiting import until

from syncd.model.address import PostgresAddress

BOARDS = "leaderboard"
DELETE = r"DELETE FROM .*pomo_leaderboard"
POINTS = {
    "before a row is deleted": Point(sql=DELETE),
    "after the rows were deleted": Point(sql=r"UPDATE lb_absent|^COMMIT", within=DELETE),
    "before the books": Point(sql="INSERT INTO reconciliations", within=DELETE),
    "in the commit": Point(sql="^COMMIT", within=DELETE, when=When.COMMITTED),
}
DUE = """
    INSERT INTO leaderboard_missing (job, user_id, missing_runs, missing_since)
    SELECT 'leaderboard', unnest($1::text[]), 2, now() - interval '25 hours'
"""
WAITS = (
    "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query ~ 'pomo_leaderboard'"
)
COPIES = "SELECT 1 FROM pg_stat_activity WHERE query ~* '^copy' AND state = 'active'"


def tables(valkey: ValkeyServer, **job: Any) -> Tables:
    return {
        "redis": {"url": f"unix://{valkey.address.socket}"},
        f"jobs.{BOARDS}": {"kind": BOARDS, "schedule": "0 0 1 1 *", **job},
    }


async def put(valkey: ValkeyServer, users: Mapping[str | bytes, float | str]) -> None:
    async with valkey.client() as client:
        await client.flushall()
        await fill(client, {"daily": users})


async def synced(daemon: DaemonProcess) -> dict[str, Any]:
    run = await daemon.finished(await daemon.trigger_job(BOARDS))
    assert run["outcome"] == "succeeded", run
    return dict(run)


async def stored(daemon: DaemonProcess) -> dict[str, float]:
    rows = await daemon.fetch("SELECT user_id, daily_pomo FROM pomo_leaderboard")
    return {row["user_id"]: row["daily_pomo"] for row in rows}


@pytest.mark.parametrize("point", POINTS)
async def test_a_run_killed_while_it_deletes_buries_each_row_once_and_only_what_was_due(
    external_daemon: Start, postgres: PostgresAddress, valkey: ValkeyServer, point: str
) -> None:
    users: dict[str | bytes, float | str] = {f"u{number:02}": 5 for number in range(60)}
    names = sorted(map(str, users))
    due, leaving = set(names[:8]), names[:16]
    await put(valkey, users)
    async with postgres_proxy(postgres) as proxy:
        there = {"host": "127.0.0.1", "port": proxy.port, "user": postgres.user}
        there |= {"database": postgres.database}
        settings = {**tables(valkey), "database": there}
        async with external_daemon(None, settings) as daemon:
            await synced(daemon)
            async with valkey.client() as client:
                await client.zrem("leaderboard:daily", *leaving)
            await daemon.fetch(DUE, sorted(due))

            pid = daemon.pid
            fell = proxy.strike(POINTS[point], lambda: os.kill(pid, signal.SIGKILL))
            run_id = await daemon.trigger_job(BOARDS)
            async with asyncio.timeout(45):
                await fell.wait()
            assert await daemon.ended() == -signal.SIGKILL
            between = set(await stored(daemon))
            await daemon.start()
            run = await daemon.finished(run_id)
            buried = await daemon.fetch("SELECT run_id, user_id FROM leaderboard_tombstones")
            waiting = await daemon.fetch("SELECT user_id FROM leaderboard_missing")
            table = set(await stored(daemon))

    assert between in (set(names), set(names) - due)
    assert table == set(names) - due
    assert {(row["run_id"], row["user_id"]) for row in buried} == {(run_id, user) for user in due}
    assert {row["user_id"] for row in waiting} == set(leaving) - due
    assert (run["outcome"], run["deleted"], run["skipped"], run["seen"]) == ("succeeded", 8, 8, 60)
    assert run["resumed"] == 1


@pytest.mark.parametrize("when", [pytest.param("it reads", marks=pytest.mark.full), "it writes"])
async def test_a_leader_frozen_while_it_does_a_run_is_followed_and_writes_nothing_when_it_wakes(
    postgres: PostgresAddress, valkey: ValkeyServer, tmp_path: Path, when: str
) -> None:
    schema = f"frozen_{tmp_path.name}"[:60].rstrip("_").lower()
    async with sandbox_process(1) as sandbox:
        here = Place(address=postgres, schema=schema, folder=tmp_path, sandbox=sandbox)
        # Several pages, a second apart, so that it is frozen between two.
        slow = tables(valkey, batch=100, pause="1s" if when == "it reads" else "0s")
        quick = tables(valkey, pause="0s")
        async with here.daemon("one", slow) as one, here.daemon("two", quick) as two:
            await put(valkey, {"u000": 1})
            await one.start()
            async with standing_by(two):
                await synced(one)
                await put(valkey, {f"u{number:03}": 2 for number in range(600)})
                other = await connect(postgres)
                await other.execute(f"SET search_path TO {schema}; BEGIN")
                await other.execute("SELECT FROM pomo_leaderboard FOR UPDATE")
                run_id = await one.trigger_job(BOARDS)
                query = COPIES if when == "it reads" else WAITS
                await until(lambda: here.fetch(query), what=f"the run while {when}")
                one.kill(signal.SIGSTOP)
                await other.execute("ROLLBACK")
                await other.close()
                await here.led_by(two)
                run = await two.finished(run_id)
                before = await here.fetch("SELECT ctid::text, xmin::text, * FROM pomo_leaderboard")
                await asyncio.sleep(LEASE_SECONDS / 4)
                one.kill(signal.SIGCONT)
                await one.told("lease.lost")
                await one.until_true(STANDBY, lambda body: body["status"] == "standby")
                after = await here.fetch("SELECT ctid::text, xmin::text, * FROM pomo_leaderboard")
                again = await synced(two)

    assert (run["outcome"], run["resumed"]) == ("succeeded", 1), run
    assert (run["created"], run["updated"], run["seen"]) == (599, 1, 600)
    assert before == after
    assert len(after) == 600
    assert one.said("run.finished", run_id=run_id) == []
    assert again["unchanged"] == 600
