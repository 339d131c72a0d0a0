"""The installed daemon, killed again and again while it cleans up: what is old goes, once."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from dataclasses import dataclass
from typing import Any

import pytest
from fakes.aged import AgedRows
from fakes.daemon_process import DaemonProcess, Start
from fakes.perils import COMMIT
from fakes.postgres_proxy import Point, PostgresProxy, When, postgres_proxy
from fakes.waiting import DEADLINE_SECONDS

from syncd.clock import Clock, SystemClock
from syncd.model.address import PostgresAddress

JOB = "cleanup"
BATCHES = 100
FRESH = 300
# Of each job so many runs stay however old they are.
KEPT_RUNS = 50

CONTESTS = r"DELETE FROM contests\b"
NOTIFICATIONS = r"DELETE FROM notifications\b"
OUTCOMES = r"DELETE FROM item_outcomes\b"
RUNS = r"DELETE FROM runs\b"
DEATHS = (
    Point(sql=CONTESTS, nth=3),
    Point(sql=COMMIT, within=CONTESTS, nth=7),
    Point(sql=COMMIT, within=NOTIFICATIONS, when=When.COMMITTED, nth=5),
    Point(sql=COMMIT, within=OUTCOMES, nth=2),
    Point(sql=COMMIT, within=RUNS, when=When.COMMITTED, nth=3),
)


@dataclass
class Tables:
    """The tables of a daemon, behind its back."""

    daemon: DaemonProcess
    clock: Clock

    async def rows(self, query: str, *values: Any) -> Any:
        return await self.daemon.fetch(query, *values)

    async def count(self, table: str, where: str = "true") -> int:
        [row] = await self.rows(f"SELECT count(*) FROM {table} WHERE {where}")  # noqa: S608
        return int(row[0])

    async def left(self) -> dict[str, int]:
        return {
            "contests": await self.count("contests"),
            "read": await self.count("notifications", "read_at IS NOT NULL"),
            "unread": await self.count("notifications", "read_at IS NULL"),
            "outcomes": await self.count("item_outcomes"),
            "runs": await self.count("runs", "kind = 'profiles'"),
        }


async def fill(there: Tables, share: int) -> None:
    """Put five shares of what is old, and some of what stays."""
    rows = AgedRows(there)
    await rows.contests(ended_days_ago=[20] * FRESH + [40] * 2 * share)
    await rows.notifications(days_ago=[100] * share, read=True)
    await rows.notifications(days_ago=[100] * FRESH, read=False)
    await rows.runs("busy", days_ago=[400 - 200 * number / share for number in range(share)])
    # Without it the clocks would seem to have leapt, and nothing to be old.
    await rows.runs("alive", days_ago=[2])


async def killed_again_and_again(daemon: DaemonProcess, line: PostgresProxy) -> int:
    """Trigger a run that dies and goes on, at each of the points; return its number."""
    run_id = 0
    for point in DEATHS:
        fell = line.strike(point, lambda: os.kill(daemon.pid, signal.SIGKILL))
        if run_id:
            # It may be gone before it has answered even once.
            with contextlib.suppress(AssertionError):
                await daemon.start(ready=False)
        else:
            run_id = await daemon.trigger_job(JOB)
        async with asyncio.timeout(DEADLINE_SECONDS):
            await fell.wait()
        assert await daemon.ended() == -signal.SIGKILL
    return run_id


@pytest.mark.parametrize("rows", [20_000, pytest.param(100_000, marks=pytest.mark.full)])
@pytest.mark.timeout(300)
async def test_a_clean_up_that_is_killed_five_times_removes_what_is_old_and_counts_it_once(
    external_daemon: Start, postgres: PostgresAddress, rows: int
) -> None:
    async with postgres_proxy(postgres) as line:
        tables = {
            "database": {
                "host": "127.0.0.1",
                "port": line.port,
                "user": postgres.user,
                "database": postgres.database,
                "pool": 4,
            },
            f"jobs.{JOB}": {"kind": "cleanup", "batch": rows // BATCHES},
        }
        async with external_daemon(None, tables) as daemon:
            there, share = Tables(daemon, SystemClock()), rows // 5
            await fill(there, share)
            run_id = await killed_again_and_again(daemon, line)
            await daemon.start()
            run = await daemon.finished(run_id)
            left = await there.left()
            again = await daemon.finished(await daemon.trigger_job(JOB))
            errors = daemon.errors()

    gone = {
        "contests": 2 * share,
        "read_notifications": share,
        "outcomes": share,
        "runs": share - KEPT_RUNS,
    }
    assert left == {
        "contests": FRESH,
        "read": 0,
        "unread": FRESH,
        "outcomes": 1,
        "runs": KEPT_RUNS + 1,
    }
    assert (run["outcome"], run["resumed"]) == ("succeeded", len(DEATHS))
    assert {rule: count for rule, count in run["cleaned"].items() if count} == gone
    assert run["deleted"] == sum(gone.values())
    assert (again["outcome"], again["deleted"]) == ("succeeded", 0)
    assert errors == ""
