"""Leaderboards as a person meets them: held, looked at, approved, taken back."""

from __future__ import annotations

import json
import re

import redis.asyncio
from fakes.daemon_process import Start

JOB = "leaderboard"
TABLES = {f"jobs.{JOB}": {"kind": JOB, "boards": ["daily"]}}
PEOPLE = {f"user_{number:03}": float(number) for number in range(1, 301)}


async def test_rows_that_vanish_are_held_approved_and_taken_back(embedded_daemon: Start) -> None:
    async with embedded_daemon(tables=TABLES) as daemon:
        valkey = redis.asyncio.Redis(unix_socket_path=str(daemon.state_dir / "run/valkey.sock"))
        async with valkey as boards:
            await boards.zadd("leaderboard:daily", PEOPLE)
            first = await daemon.command("trigger", JOB, "--follow")
            await boards.zrem("leaderboard:daily", *list(PEOPLE)[:30])
            held = await daemon.command("trigger", JOB, "--follow")
        shown = await daemon.command("plans", JOB, "--json")
        approved = await daemon.command("approve", JOB, "--follow", "--json")
        run = json.loads(approved.out)["run"]
        undone = await daemon.command("undo", str(run["id"]))
        rows = await daemon.fetch("SELECT count(*) FROM pomo_leaderboard")

    [plan] = json.loads(shown.out)
    assert (first.code, held.code) == (0, 7), first.err + held.err
    assert "held      30 missing (10 % of 300; guard 20)" in held.out
    assert (plan["state"], plan["deletes"]) == ("held", 30)
    assert (approved.code, run["deleted"]) == (0, 30)
    assert run["reconciliation"]["drift"]["rows"] == 0
    assert (undone.code, undone.out.split(": ")[1]) == (0, "30 created\n")
    assert rows[0]["count"] == 300


async def test_a_plan_and_a_trial_need_no_daemon(embedded_daemon: Start) -> None:
    async with embedded_daemon(tables=TABLES) as daemon:
        beside = await daemon.command("selftest", "leaderboard")
        await daemon.stop()
        alone = await daemon.command("selftest", "leaderboard")
        planned = await daemon.command("plan", JOB)
        left = await daemon.command("plan", JOB, "--json")

    assert (beside.code, alone.code) == (0, 0), beside.out + alone.out
    assert (planned.code, planned.out.splitlines()[0]) == (
        0,
        "would create 0, update 0, delete 0; 0 missing (0 % of 0; guard 20)",
    )
    told = json.loads(left.out)
    assert re.fullmatch(r"[0-9a-f]{40}", told["reconciliation"]["source"]["server_id"])
    assert told["open_plan"] is None
