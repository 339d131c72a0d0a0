"""Fire times in a real daemon: the clock passes them and runs are there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from fakes.daemon_config import JOB
from fakes.daemon_process import DaemonProcess, Start
from fakes.faketime import faked_clock
from fakes.sandbox_process import sandbox_process

TWO_SECONDS = timedelta(seconds=2)
EVERY_TWO_SECONDS = {f"jobs.{JOB}": {"schedule": "*/2 * * * * *"}}


async def fired(daemon: DaemonProcess, wanted: int) -> list[dict[str, Any]]:
    """Return the runs of the job, oldest first, once so many of them have ended."""

    def has_enough(answer: dict[str, Any]) -> bool:
        return sum(run["finished_at"] is not None for run in answer["runs"]) >= wanted

    answer = await daemon.until_true(f"/api/runs?job={JOB}", has_enough)
    return list(reversed(answer["runs"]))


async def test_cron_job_runs_at_its_fire_times_and_once_at_each(external_daemon: Start) -> None:
    async with (
        sandbox_process(20) as sandbox,
        external_daemon(sandbox, EVERY_TWO_SECONDS) as daemon,
    ):
        await daemon.follow(sandbox)

        runs = await fired(daemon, 3)

    times = [datetime.fromisoformat(run["fire_time"]) for run in runs]
    assert {run["cause"] for run in runs} == {"schedule"}
    assert all(time.second % 2 == 0 and time.microsecond == 0 for time in times)
    assert all(later >= time + TWO_SECONDS for time, later in pairwise(times))


async def test_fire_times_that_passed_while_syncd_was_down_are_made_up_for_once(
    external_daemon: Start,
) -> None:
    async with external_daemon(tables=EVERY_TWO_SECONDS) as daemon:
        await fired(daemon, 1)
        await daemon.stop()
        before = await daemon.fetch("SELECT id FROM runs")
        await daemon.fetch(
            "UPDATE runs SET fire_time = fire_time - interval '1 hour',"
            " claimed_at = claimed_at - interval '1 hour'"
        )

        stopped_at = datetime.now(UTC)
        await daemon.start()
        runs = await fired(daemon, len(before) + 1)

    # Of 1,800 fire times the latest one.
    assert datetime.fromisoformat(runs[len(before)]["fire_time"]) > stopped_at - TWO_SECONDS


async def test_schedule_that_is_switched_off_fires_nothing_and_triggers_still_work(
    external_daemon: Start,
) -> None:
    off = {**EVERY_TWO_SECONDS, "daemon": {"schedule": False}}
    async with sandbox_process(20) as sandbox, external_daemon(sandbox, off) as daemon:
        await daemon.follow(sandbox)

        await daemon.finished(await daemon.trigger())
        await daemon.finished(await daemon.trigger())
        runs = (await daemon.get("/api/runs"))["runs"]
        job = await daemon.get(f"/api/jobs/{JOB}")

    assert [run["cause"] for run in runs] == ["manual", "manual"]
    assert job["next_fire_time"] is None


@pytest.mark.needs_tool("faketime")
async def test_daily_job_fires_when_the_clock_passes_midnight_in_kolkata(
    embedded_daemon: Start,
) -> None:
    daily = {f"jobs.{JOB}": {"schedule": "0 0 * * *", "timezone": "Asia/Kolkata"}}
    # Midnight there is 18:30 UTC.
    clock = faked_clock("@2027-03-01 18:29:50")
    async with (
        sandbox_process(20) as sandbox,
        embedded_daemon(sandbox, daily, environ=clock) as daemon,
    ):
        await daemon.follow(sandbox)

        (run,) = await fired(daemon, 1)
        job = await daemon.get(f"/api/jobs/{JOB}")

    assert run["cause"] == "schedule"
    assert run["fire_time"] == "2027-03-01T18:30:00Z"
    assert run["started_at"].startswith("2027-03-01T18:30:0")
    assert (run["outcome"], run["seen"]) == ("succeeded", 20)
    assert job["next_fire_time"] == "2027-03-02T18:30:00Z"
