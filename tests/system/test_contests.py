"""The installed daemon over the four platforms that announce contests."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from fakes.daemon_config import Tables
from fakes.daemon_process import DaemonProcess, Start
from fakes.heralds import SITES
from fakes.platform_worlds import STANDINS
from fakes.waiting import until

from syncd.sandbox.faults import hang, server_error
from syncd.sandbox.server import serve

SCALE = 100
STORED = "SELECT platform, external_id, name, starts_at, schedule_version, occasion FROM contests"


@asynccontextmanager
async def sites() -> AsyncIterator[tuple[Mapping[str, Any], Tables]]:
    """Serve the four, and return what config.toml says of them and of both jobs."""
    standins: dict[str, Any] = {name: STANDINS[name].make(7, 3, scale=SCALE) for name in SITES}
    tables: dict[str, dict[str, Any]] = {"logging": {"dir": "logs"}}
    async with AsyncExitStack() as stack:
        for name, standin in standins.items():
            url = await stack.enter_async_context(serve(standin))
            tables[f"platforms.{name}"] = {
                **standin.addresses(url),
                "allow_private": True,
                "rate": f"{SCALE}/s",
                "timeout": "2s",
            }
        tables["jobs.contests"] = {"kind": "contests"}
        tables["jobs.contests-near"] = {"kind": "contests", "within": "1h"}
        yield standins, tables


async def test_contests_are_synced_told_and_seen_to_move(external_daemon: Start) -> None:
    async with sites() as (standins, tables), external_daemon(None, tables) as daemon:
        far = datetime.now(UTC).replace(microsecond=0) + timedelta(days=5)
        for standin in standins.values():
            standin.calendar.record([[told("one", far), told("two", far)]])
        answer = await daemon.api("POST", "/contests/sync/all")
        first = await daemon.finished(answer.body["run"])
        silent = await daemon.finished(await daemon.trigger_job("contests-near"))
        standins["codeforces"].calendar.move_contest("1", (far - timedelta(days=1)).isoformat())
        standins["leetcode"].faults.add(server_error())
        second = await daemon.finished(await daemon.trigger_job("contests"))
        shown = await daemon.command("show", str(second["id"]))
        metrics = await daemon.get("/metrics")
        rows = await daemon.fetch(STORED)

    assert (answer.status, answer.body["message"]) == (202, "Sync triggered successfully")
    assert (first["outcome"], first["created"], first["calls"]) == ("succeeded", len(rows), 4)
    assert (silent["outcome"], silent["seen"], silent["calls"]) == ("succeeded", 0, 0)
    assert (second["outcome"], second["platforms"]["leetcode"]["failed"]) == ("partial", 1)
    assert "3 of 4 platforms: " in shown.out
    assert "CONTESTS" in shown.out
    assert {row["external_id"] for row in rows if row["occasion"] == "moved"} == {"1"}
    assert "syncd_contest_turns_total" in metrics
    lines = messages(daemon)
    assert [line for line in lines if "contest sync" in line.lower()] == [
        "Starting manual contest sync",
        "Contest sync completed",
        "Starting manual contest sync",
        "Contest sync completed in part",
    ]
    assert not [line for line in daemon.lines if line.get("run_id") == silent["id"]]


def told(number: str, starts_at: datetime) -> dict[str, Any]:
    ids = {"one": "1", "two": "2"}
    start = starts_at.isoformat()
    return {"id": ids[number], "name": f"Round {number}", "starts_at": start, "seconds": 7_200}


def messages(daemon: DaemonProcess) -> list[str]:
    """Return the sentences of the log of the contests jobs."""
    runs = [line for line in daemon.lines if line.get("job", "").startswith("contests")]
    return [line["message"] for line in runs if "message" in line]


async def test_a_daemon_that_is_killed_during_a_look_goes_on_with_who_is_left(
    external_daemon: Start,
) -> None:
    async with sites() as (standins, tables), external_daemon(None, tables) as daemon:
        slow = standins["atcoder"]
        slow.faults.add(hang(), times=1)
        number = await daemon.trigger_job("contests")

        async def others_are_stored() -> bool:
            rows = await daemon.fetch("SELECT platform FROM run_platforms")
            return len(rows) == 3 and slow.counters.requests > 0

        await until(others_are_stored, what="three platforms are stored")
        os.kill(daemon.pid, signal.SIGKILL)
        await daemon.ended()
        await daemon.start()
        run = await daemon.finished(number)
        rows = await daemon.fetch(STORED)

    assert (run["outcome"], run["resumed"]) == ("succeeded", 1)
    assert run["created"] == run["seen"] == len(rows)
    asked = {name: standin.counters.requests for name, standin in standins.items()}
    assert asked == {"codeforces": 1, "leetcode": 1, "codechef": 1, "atcoder": 2}
