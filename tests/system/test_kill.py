"""kill -9 in mid-run at size: of the daemon, of its Valkey; of its PostgreSQL in `faults/`."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from fakes.daemon_config import JOB
from fakes.daemon_process import DaemonProcess, Start
from fakes.processes import one_server_each, processes_of, servers_of
from fakes.sandbox_process import SandboxProcess, sandbox_process

CLAIM = 100


async def attempts(daemon: DaemonProcess, sandbox: SandboxProcess) -> Mapping[int, datetime]:
    """Return when each of the people was last asked for, as PostgreSQL has it."""
    rows = await daemon.fetch(
        "SELECT users.key, sync_state.attempted_at FROM sync_state"
        " JOIN accounts ON accounts.id = sync_state.account_id"
        " JOIN users ON users.id = accounts.user_id"
    )
    assert len(rows) == len(sandbox.people)
    return {int(row["key"].removeprefix("u")): row["attempted_at"] for row in rows}


def assert_complete(run: Mapping[str, Any], users: int) -> None:
    assert run["outcome"] == "succeeded"
    assert run["seen"] == run["created"] + run["updated"] + run["unchanged"] == users


def assert_one_server_each(daemon: DaemonProcess) -> None:
    assert len(servers_of(daemon.state_dir, "postgres")) == 1
    assert len(servers_of(daemon.state_dir, "valkey")) == 1


async def test_killed_daemon_goes_on_with_its_run_and_asks_for_no_committed_account_again(
    embedded_daemon: Start,
) -> None:
    users = 2_000
    async with sandbox_process(users) as sandbox, embedded_daemon(sandbox) as daemon:
        await daemon.follow(sandbox)
        run_id = await daemon.trigger()
        await daemon.reached(run_id, users // 3)

        daemon.kill(signal.SIGKILL)
        code = await daemon.ended()
        killed_at = datetime.now(UTC)
        await daemon.start()
        run = await daemon.finished(run_id)

        asked = await attempts(daemon, sandbox)
        fetches = await sandbox.fetches()
        runs = (await daemon.get(f"/api/runs?job={JOB}"))["runs"]
        assert_one_server_each(daemon)
        stopped = await daemon.stop()

    committed = [index for index, at in asked.items() if at < killed_at]
    assert code == -signal.SIGKILL
    assert_complete(run, users)
    assert [(each["id"], each["resumed"]) for each in runs] == [(run_id, 1)]
    assert len(committed) >= users // 3
    assert {fetches[index] for index in committed} == {1}
    assert set(fetches.values()) <= {1, 2}
    assert sum(fetches.values()) <= users + CLAIM
    assert stopped == 0
    assert not processes_of(daemon.folder)


async def test_killed_valkey_is_started_again_and_hurts_no_run(embedded_daemon: Start) -> None:
    users = 1_000
    async with sandbox_process(users) as sandbox, embedded_daemon(sandbox) as daemon:
        await daemon.follow(sandbox)
        run_id = await daemon.trigger()
        await daemon.reached(run_id, users // 4)

        os.kill(servers_of(daemon.state_dir, "valkey")[0], signal.SIGKILL)
        await daemon.told("server.died", server="valkey")
        run = await daemon.finished(run_id)
        await daemon.told("server.started", server="valkey", adopted=False)

        redis = await daemon.until_true("/api/status", lambda status: status["redis"]["ok"])
        fetches = await sandbox.fetches()
        assert_one_server_each(daemon)

    assert redis["ready"]
    assert_complete(run, users)
    assert set(fetches.values()) == {1}


async def test_servers_of_a_daemon_that_was_killed_while_it_started_are_not_started_twice(
    embedded_daemon: Start,
) -> None:
    async with embedded_daemon() as daemon:
        for _ in range(3):
            daemon.kill(signal.SIGKILL)
            await daemon.ended()
            await daemon.start(ready=False)

        await daemon.until_true("/api/status", lambda status: status["ready"])
        await one_server_each(daemon.state_dir)


@pytest.mark.full
@pytest.mark.timeout(600)
async def test_ten_kills_at_random_moments_lose_and_double_nothing(embedded_daemon: Start) -> None:
    users, kills = 10_000, 10
    moments = random.Random(4)
    async with sandbox_process(users) as sandbox, embedded_daemon(sandbox) as daemon:
        await daemon.follow(sandbox)
        run_id = await daemon.trigger()

        for _ in range(kills):
            await asyncio.sleep(moments.uniform(0.1, 2.0))
            daemon.kill(signal.SIGKILL)
            await daemon.ended()
            await daemon.start()
        run = await daemon.finished(run_id)

        fetches = await sandbox.fetches()
        stored = await daemon.fetch("SELECT count(*) AS profiles FROM profiles")
        assert_one_server_each(daemon)

    assert_complete(run, users)
    assert run["resumed"] <= kills
    assert stored[0]["profiles"] == users
    assert min(fetches.values()) == 1
    assert sum(fetches.values()) <= users + kills * CLAIM
