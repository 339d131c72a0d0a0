"""The replaced leaderboard service's addresses over a real daemon, PostgreSQL and Valkey."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from fakes.followed import JOB, Followed, followed
from fakes.tcp_proxy import TcpProxy
from fakes.valkey import NewServer, ValkeyServer
from fakes.waiting import until

from syncd.model.pause import PauseScope
from syncd.store.database import Database

PLACE = "/api/periodic-sync"
NOT_THERE = "cannot use Redis"


@pytest.fixture
def server(new_valkey: NewServer) -> ValkeyServer:
    return new_valkey(port=None)


@pytest.fixture
async def world(
    database: Database, server: ValkeyServer, tmp_path: Path
) -> AsyncIterator[Followed]:
    settings = database.settings
    async with followed(settings.address, settings.schema, server, tmp_path) as world:
        yield world


async def status_of(world: Followed) -> tuple[dict[str, Any], dict[str, Any]]:
    code, body = await world.ask("GET", f"{PLACE}/status")
    assert (code, body["success"]) == (200, True)
    return body["status"], body["background_task"]


async def lost(world: Followed) -> str:
    return world.desk.core.health.error


async def test_a_sync_answers_once_the_table_has_what_redis_says(world: Followed) -> None:
    before, _ = await status_of(world)
    await world.write(daily={"ada": 5, "bob": 3}, weekly={"ada": 5, "cyd": 8})

    code, body = await world.sync()

    status, task = await status_of(world)
    assert (code, body["success"], body["message"]) == (200, True, "Sync completed")
    assert (body["stats"]["created"], body["stats"]["errors"]) == (3, 0)
    assert await world.rows() == 3
    assert before["last_sync_time"] is None
    age = world.desk.clock.now() - datetime.fromisoformat(status["last_sync_time"])
    assert timedelta() <= age < timedelta(minutes=1)
    assert (status["is_running"], status["redis_connected"]) == (True, True)
    assert 0 < status["next_sync_in_minutes"] <= 60
    assert task == {"running": True, "task_exists": True, "task_done": False}


async def test_both_sides_are_counted_as_they_are_now(world: Followed) -> None:
    await world.write(daily={"ada": 5, "bob": 3}, weekly={"ada": 5, "cyd": 8})
    await world.sync()
    await world.write(daily={"dan": 1})

    _, body = await world.ask("GET", f"{PLACE}/metrics")

    assert body["metrics"].pop("sync_service")["is_running"] is True
    assert body["metrics"] == {
        "postgres_users": 3,
        "redis_counts": {
            "daily_leaderboard": 3,
            "weekly_leaderboard": 2,
            "monthly_leaderboard": 0,
            "yearly_leaderboard": 0,
        },
    }


async def test_without_redis_a_sync_is_refused_and_everything_else_is_told(
    world: Followed,
) -> None:
    await world.write(daily={"ada": 5})
    await world.sync()
    world.server.stop()

    code, body = await world.sync()
    status, _ = await status_of(world)
    _, health = await world.ask("GET", f"{PLACE}/health")
    _, metrics = await world.ask("GET", f"{PLACE}/metrics")

    assert (code, body["success"], body["message"]) == (503, False, body["error"])
    assert body["error"].startswith(NOT_THERE)
    assert body["hint"]
    assert (status["is_running"], status["redis_connected"]) == (True, False)
    assert (health["status"], health["health"]["postgres_connected"]) == ("degraded", True)
    assert set(metrics["metrics"]["redis_counts"].values()) == {None}
    assert metrics["metrics"]["postgres_users"] == await world.rows() == 1


async def test_a_board_that_is_none_fails_the_sync_and_is_not_counted(world: Followed) -> None:
    async with world.client() as client:
        await client.set("leaderboard:daily", "a string")

    code, body = await world.sync()
    _, metrics = await world.ask("GET", f"{PLACE}/metrics")

    assert (code, body["success"], body["message"]) == (500, False, body["error"])
    assert "leaderboard:daily" in body["error"]
    assert body["stats"]["created"] == await world.rows() == 0
    assert set(metrics["metrics"]["redis_counts"].values()) == {None}


async def test_without_postgresql_health_and_counts_answer_with_what_is_known(
    database: Database, proxy: TcpProxy, server: ValkeyServer, tmp_path: Path
) -> None:
    settings = database.settings
    address = replace(settings.address, host="127.0.0.1", port=proxy.port)
    async with followed(address, settings.schema, server, tmp_path) as world:
        await world.write(daily={"ada": 5})
        await world.sync()
        synced = (await status_of(world))[0]["last_sync_time"]
        await proxy.cut()
        await until(partial(lost, world), what="the loss to be noticed")

        code, health = await world.ask("GET", f"{PLACE}/health")
        status, task = await status_of(world)
        _, metrics = await world.ask("GET", f"{PLACE}/metrics")
        stopped, refusal = await world.ask("POST", f"{PLACE}/stop", {})

    assert (code, health["status"], health["success"]) == (200, "degraded", True)
    assert (health["health"]["redis_connected"], health["health"]["postgres_connected"]) == (
        True,
        False,
    )
    assert synced is not None
    assert health["health"]["last_sync"] == status["last_sync_time"] == synced
    assert task["running"] is False
    assert metrics["metrics"]["postgres_users"] is None
    assert metrics["metrics"]["redis_counts"]["daily_leaderboard"] == 1
    assert (stopped, refusal["success"]) == (503, False)


async def test_stop_and_start_may_be_repeated_and_are_a_pause_of_the_job(
    world: Followed,
) -> None:
    stops = [await world.ask("POST", f"{PLACE}/stop", {}) for _ in range(2)]
    stopped, task = await status_of(world)
    stored = await world.desk.core.pauses.read()
    code, refused = await world.sync()
    starts = [await world.ask("POST", f"{PLACE}/start", {}) for _ in range(2)]
    started, _ = await status_of(world)

    assert stops == [(200, {"success": True, "message": "Periodic sync stopped"})] * 2
    assert (stopped["is_running"], stopped["next_sync_in_minutes"]) == (False, None)
    assert task == {"running": False, "task_exists": True, "task_done": True}
    assert [(pause.scope, pause.key, pause.why, pause.actor) for pause in stored] == [
        (PauseScope.JOB, JOB, "stopped by /api/periodic-sync/stop", "token")
    ]
    assert (code, refused["success"]) == (409, False)
    assert "is paused since" in refused["message"]
    assert starts == [(200, {"success": True, "message": "Periodic sync started"})] * 2
    assert started["is_running"]
    assert await world.desk.core.pauses.read() == []


async def test_a_stop_keeps_the_reason_of_whoever_paused_the_job(world: Followed) -> None:
    await world.ask("POST", f"/api/jobs/{JOB}/pause", {"why": "Redis moves"})

    await world.ask("POST", f"{PLACE}/stop", {})

    (pause,) = await world.desk.core.pauses.read()
    assert pause.why == "Redis moves"


async def test_a_stop_takes_the_end_from_a_pause_that_has_one(world: Followed) -> None:
    until_then = (world.desk.clock.now() + timedelta(hours=1)).isoformat()
    await world.ask("POST", f"/api/jobs/{JOB}/pause", {"why": "lunch", "until": until_then})

    await world.ask("POST", f"{PLACE}/stop", {})

    (pause,) = await world.desk.core.pauses.read()
    assert pause.until is None


async def test_a_start_says_what_else_keeps_the_job_from_running(world: Followed) -> None:
    await world.ask("POST", "/api/pause", {"why": "we move"})

    _, body = await world.ask("POST", f"{PLACE}/start", {})

    assert body["success"] is True
    assert body["message"].startswith("Periodic sync does not run: everything is paused since")
    assert body["message"].endswith("we move (`syncd resume --all`)")


async def test_a_run_that_takes_longer_than_one_waits_is_told_as_it_is_then(
    world: Followed,
) -> None:
    run = world.desk.core.scheduler.draft(JOB, "manual", world.desk.clock.now())
    number = await world.desk.core.around.stores.runs.create(run)

    told = await world.desk.control.ended_run(number, 0.1)

    assert told["outcome"] == "claimed"
