"""What a pass over many users costs, by the count of the other side."""

from __future__ import annotations

import signal
import sys
import time
from typing import Any

import pytest
from fakes.daemon_process import DaemonProcess, Start
from fakes.processes import peak_megabytes
from fakes.sandbox_process import sandbox_process

SCALE = 10_000
FAST = {"platforms.github": {"rate": "5000/s"}}


async def timed_run(daemon: DaemonProcess) -> tuple[dict[str, Any], float]:
    began = time.monotonic()
    run = await daemon.finished(await daemon.trigger())
    return run, round(time.monotonic() - began, 1)


@pytest.mark.parametrize(
    "users",
    [2_000, pytest.param(100_000, marks=[pytest.mark.full, pytest.mark.timeout(1_800)])],
)
async def test_unchanged_users_cost_a_call_a_hundred_and_changed_ones_their_own_call_on_top(
    users: int, external_daemon: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    most_sweeps = users * 11 // 1_000
    async with (
        sandbox_process(users, scale=SCALE) as sandbox,
        external_daemon(sandbox, FAST) as daemon,
    ):
        daemon.patience_seconds = 600
        await daemon.follow(sandbox)
        filled, fill_seconds = await timed_run(daemon)
        await sandbox.change("clear_counters")

        unchanged, unchanged_seconds = await timed_run(daemon)
        after_unchanged = await sandbox.counters()
        touched = await sandbox.change("change_some", share=0.01)
        await sandbox.change("clear_counters")
        changed, changed_seconds = await timed_run(daemon)
        after_changed = await sandbox.counters()
        peak = peak_megabytes(daemon.pid)

    moved = len(set(touched) & set(sandbox.people))
    assert filled["created"] == users
    assert (unchanged["outcome"], unchanged["unchanged"]) == ("succeeded", users)
    assert after_unchanged["requests"] == unchanged["calls"] <= most_sweeps
    assert after_unchanged["graphql_ids"] == users
    assert (changed["updated"], changed["unchanged"]) == (moved, users - moved)
    assert after_changed["requests"] == changed["calls"]
    assert after_changed["requests"] - after_changed["graphql"] == moved
    assert after_changed["graphql"] <= most_sweeps
    assert after_unchanged["refused"] == after_changed["refused"] == {}
    with capsys.disabled():
        sys.stdout.write(
            f"\n{users} users: filled in {fill_seconds} s; "
            f"unchanged {after_unchanged['requests']} calls, {unchanged_seconds} s; "
            f"{moved} changed {after_changed['requests']} calls, {changed_seconds} s; "
            f"peak {peak:.0f} MB\n"
        )


async def test_kill_in_the_middle_of_a_sweeping_pass_costs_one_claim_at_most(
    external_daemon: Start,
) -> None:
    users = 3_000
    async with (
        sandbox_process(users, scale=SCALE, latency_ms=30) as sandbox,
        external_daemon(sandbox, FAST) as daemon,
    ):
        await daemon.follow(sandbox)
        await timed_run(daemon)
        await sandbox.change("clear_counters")
        run_id = await daemon.trigger()
        await daemon.reached(run_id, users // 3)

        daemon.kill(signal.SIGKILL)
        await daemon.ended()
        await daemon.start()
        run = await daemon.finished(run_id)
        counters = await sandbox.counters()

    assert (run["outcome"], run["unchanged"], run["resumed"]) == ("succeeded", users, 1)
    # One more: at its start the daemon asks whether the credential is accepted.
    assert counters["requests"] == counters["graphql"] + 1
    assert users <= counters["graphql_ids"] <= users + 100
