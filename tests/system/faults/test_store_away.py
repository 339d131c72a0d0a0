"""Faults 20-23: PostgreSQL that is down, silent or slow: at start, at a fire time, in mid-run."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

import pytest
from fakes.daemon_config import JOB, Tables, merged
from fakes.perils import EVERYBODY
from fakes.storm import Storm, Storms
from fakes.tcp_proxy import TcpProxy
from fakes.waiting import until

COMMAND_TIMEOUT = 1.0
# A statement that hangs costs its timeout and at most this; so does a wait for a connection.
SLACK_SECONDS = 2.0
PULSE_SECONDS = 2.0
SLOW = {
    f"jobs.{JOB}": {"claim": 16},
    "platforms.github": {"rate": "8/s", "burst": 1},
    "platforms.forge": {"rate": "8/s", "burst": 1},
}


def through(line: TcpProxy, over: Tables | None = None) -> Tables:
    """Return the tables of a daemon that reaches its database through a line."""
    timeouts = {"connect_timeout": "1s", "command_timeout": "1s"}
    there = {"host": "127.0.0.1", "port": line.port, "user": "syncd", **timeouts}
    return merged({"database": there}, over or {})


async def fail(line: TcpProxy, how: str) -> None:
    match how:
        case "cut":
            await line.cut()
        case "black hole":
            line.go_silent()
        case "a byte a second":
            line.delay_seconds, line.slice_bytes = 1.0, 1


async def mend(line: TcpProxy, how: str) -> None:
    if how == "a byte a second":
        # What was cut in slices is still on its way; who waits for it has given up.
        line.delay_seconds, line.slice_bytes = 0.0, 65_536
    await line.mend()


async def check_all(world: Storm) -> None:
    world.oracle.learn("github")
    world.oracle.learn("forge")
    await world.oracle.check()


@pytest.mark.parametrize("how", ["cut", "black hole"])
async def test_database_away_at_start_leaves_the_daemon_up_until_it_heals_by_itself(
    storm: Storms, line: TcpProxy, how: str
) -> None:
    await fail(line, how)
    async with storm(through(line), at_once=False) as world:
        daemon = world.daemon
        await daemon.start(ready=False)
        pid = daemon.pid
        lost = await daemon.told("store.lost")
        stranger = await daemon.api("GET", "/ready", token=None)
        holder = await daemon.api("GET", "/ready")
        live = await daemon.api("GET", "/live", token=None)
        refused = await daemon.api("POST", f"/api/jobs/{JOB}/trigger", {})
        status = await daemon.command("status")

        await mend(line, how)
        await daemon.told("store.recovered")
        await daemon.until_true("/ready", lambda ready: ready["status"] == "ready")
        await world.calm()

    why = f"cannot use PostgreSQL syncd@127.0.0.1:{line.port}/syncd"
    assert daemon.pid == pid
    assert live.status == 200
    assert (stranger.status, stranger.body) == (503, {"status": "not ready"})
    assert holder.status == 503
    assert holder.body["why"].startswith(why)
    assert refused.status == 503
    assert status.code == 4
    assert "db DOWN" in status.out
    assert why in status.out
    assert lost["retry_seconds"] == 1
    assert len(daemon.said("store.lost")) == 1


@pytest.mark.parametrize("how", ["cut", "black hole", "a byte a second"])
async def test_database_away_in_mid_run_holds_nobody_up_and_the_run_ends_with_right_counts(
    storm: Storms, line: TcpProxy, how: str
) -> None:
    async with storm(through(line, SLOW)) as world:
        daemon = world.daemon
        await world.link()
        run_id = await daemon.trigger()
        await daemon.reached(run_id, 4)

        began = time.monotonic()
        await fail(line, how)
        await daemon.told("store.lost")
        noticed = time.monotonic() - began
        began = time.monotonic()
        refused = await daemon.api("GET", "/api/users")
        answered = time.monotonic() - began
        ready = await daemon.api("GET", "/ready")
        (before,) = await daemon.fetch("SELECT count(*) FROM profiles")
        await mend(line, how)
        run = await daemon.finished(run_id)
        await daemon.told("store.recovered")

        await check_all(world)
        asked = world.github.counters.fetched(3) + world.forge.counters.fetched(3)

    # The next statement comes with the pulse at the latest.
    assert noticed < PULSE_SECONDS + COMMAND_TIMEOUT + SLACK_SECONDS
    assert answered < COMMAND_TIMEOUT + SLACK_SECONDS
    assert (refused.status, ready.status) == (503, 503)
    assert 4 <= before["count"] < EVERYBODY
    assert (run["outcome"], run["resumed"], run["created"]) == ("succeeded", 0, EVERYBODY)
    assert asked == []
    assert daemon.said("run.crashed") == []


async def test_line_that_passes_five_bytes_at_a_time_changes_nothing(
    storm: Storms, line: TcpProxy
) -> None:
    line.slice_bytes = 5
    patient = {"database": {"connect_timeout": "20s", "command_timeout": "20s"}}
    async with storm(merged(through(line), patient)) as world:
        await world.calm()

    assert world.daemon.said("store.lost") == []


@pytest.mark.parametrize(
    ("every", "down"),
    [
        (8, 1),
        pytest.param(90, 75, marks=[pytest.mark.full, pytest.mark.timeout(400)]),
    ],
)
async def test_fire_at_which_the_database_was_down_has_its_row_when_it_is_back(
    storm: Storms, line: TcpProxy, every: int, down: int
) -> None:
    async with storm(through(line, {f"jobs.{JOB}": {"every": f"{every}s"}})) as world:
        daemon = world.daemon
        daemon.patience_seconds = every + down + 60
        await world.link()

        async def next_fire_time() -> str | None:
            return (await daemon.get(f"/api/jobs/{JOB}"))["next_fire_time"]

        told = await until(next_fire_time, what="the scheduler to know when it fires")
        fire_time = datetime.fromisoformat(told)
        await line.cut()

        async def was_down_long_enough() -> bool:
            return datetime.now(UTC) > fire_time + timedelta(seconds=down)

        await until(was_down_long_enough, what="an outage", seconds=every + down + 10)
        await line.mend()
        back_at = datetime.now(UTC)
        row = await row_of(world, fire_time)
        await daemon.told("store.recovered")
        paused = await daemon.api("POST", f"/api/jobs/{JOB}/pause", {})
        await check_all(world)
        (ran,) = await daemon.fetch(
            "SELECT count(*) FROM runs WHERE job = $1 AND outcome = 'succeeded'", JOB
        )

    assert paused.status == HTTPStatus.OK
    assert row["cause"] == ("catch_up" if down > 60 else "schedule")
    assert row["outcome"] == "succeeded"
    assert row["started_at"] > back_at
    assert world.github.counters.fetched(ran["count"] + 1) == []


async def row_of(world: Storm, fire_time: datetime) -> Mapping[str, Any]:
    """Return the row of a fire once its run has ended."""

    async def ask() -> Any:
        return await world.daemon.fetch(
            "SELECT * FROM runs WHERE job = $1 AND fire_time = $2 AND finished_at IS NOT NULL",
            JOB,
            fire_time,
        )

    return dict((await until(ask, what=f"the row of {fire_time}"))[0])
