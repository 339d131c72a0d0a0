"""GitHub's limits, scaled: what arrives at the other end of the wire, and what syncd needs for it.

The sandbox enforces a hundredfold of GitHub's limits, and syncd keeps a hundredfold of its own
defaults; so a test of a minute stands for more than an hour and a half.
"""

from __future__ import annotations

import sys
from typing import Any

import pytest
from fakes.daemon_process import DaemonProcess, Start
from fakes.processes import peak_megabytes
from fakes.sandbox_process import SandboxProcess, sandbox_process
from fakes.waiting import until

SCALE = 100
MOST_MEGABYTES = 300
DEFAULTS = {
    "platforms.github": {
        "rate": f"{10 * SCALE}/s",
        "burst": 1,
        "quota": f"{5000 * SCALE}/h",
        "slots": 10,
        "timeout": "30s",
    },
    "jobs.github": {"sweep": False},
}
POINTS_A_MINUTE = 900 * SCALE
# A run is over before a minute is full; so no second may hold more than its share of one. Arrivals
# bunch where sending did not: two busy processes, one machine.
MOST_IN_A_SECOND = POINTS_A_MINUTE / 60


async def run_of(daemon: DaemonProcess) -> dict[str, Any]:
    return await daemon.finished(await daemon.trigger())


async def was_asked(sandbox: SandboxProcess) -> bool:
    return bool((await sandbox.counters())["requests"])


@pytest.mark.timeout(300)
async def test_ten_thousand_users_exceed_no_limit_and_cost_no_quota_the_second_time(
    embedded_daemon: Start,
) -> None:
    users = 10_000
    async with (
        sandbox_process(users, scale=SCALE) as sandbox,
        embedded_daemon(sandbox, DEFAULTS) as daemon,
    ):
        await daemon.follow(sandbox)
        await until(lambda: was_asked(sandbox), what="the credential to be checked")
        await sandbox.change("clear_counters")

        first = await run_of(daemon)
        after_first = await sandbox.counters()
        await sandbox.change("clear_counters")
        second = await run_of(daemon)
        after_second = await sandbox.counters()
        peak = peak_megabytes(daemon.pid)

    assert peak < MOST_MEGABYTES
    for counters in (after_first, after_second):
        assert counters["most_in_a_second"] <= MOST_IN_A_SECOND
        assert counters["most_in_a_minute"] <= POINTS_A_MINUTE
        assert counters["refused"] == {}
        assert counters["requests"] == users
    assert (first["outcome"], first["created"], first["calls"]) == ("succeeded", users, users)
    assert (second["outcome"], second["unchanged"], second["saved"]) == ("succeeded", users, users)
    assert after_first["by_status"] == {"200": users}
    assert after_second["by_status"] == {"304": users}
    assert after_second["primary_used"] == 0


async def peak_of_two_runs(daemon: DaemonProcess, sandbox: SandboxProcess) -> float:
    """Return the peak of a process that did nothing but two runs."""
    await daemon.follow(sandbox)
    await daemon.restart()
    first = await run_of(daemon)
    second = await run_of(daemon)
    assert first["created"] == second["unchanged"] == len(sandbox.people)
    return peak_megabytes(daemon.pid)


@pytest.mark.full
@pytest.mark.timeout(1_800)
async def test_memory_at_a_hundred_thousand_users_is_within_20_mb_of_that_at_a_thousand(
    external_daemon: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    peaks: dict[int, float] = {}
    for users in (1_000, 100_000):
        async with (
            sandbox_process(users, scale=SCALE * 100) as sandbox,
            external_daemon(sandbox, {"platforms.github": {"rate": "5000/s"}}) as daemon,
        ):
            daemon.patience_seconds = 600
            peaks[users] = await peak_of_two_runs(daemon, sandbox)
            await daemon.fetch("TRUNCATE users CASCADE")

    with capsys.disabled():
        sys.stdout.write(f"\npeak memory in MB by users: {peaks}\n")
    assert peaks[100_000] - peaks[1_000] < 20
