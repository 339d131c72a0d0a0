"""The replaced leaderboard service's addresses, over the real control port: shapes and refusals."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import aiohttp
import pytest
from fakes.control import JOB, TOKEN, ControlPort, control_port
from fakes.memory_leaderboard import SYNCED_AT

from syncd.errors import NotLeading
from syncd.model.pause import PauseScope
from syncd.model.run import RunOptions

PLACE = "/api/periodic-sync"
QUESTIONS = ("status", "health", "metrics")
ORDERS = ("start", "stop", "sync")
CALLS = [*(("GET", name) for name in QUESTIONS), *(("POST", name) for name in ORDERS)]
SYNCED = {
    "created": 3,
    "updated": 1,
    "unchanged": 7,
    "deleted": 2,
    "failed": 1,
    "failures": {"poisoned": 1, "held": 5, "conflict": 4, "waiting": 6},
}
STATS = {
    "run": 4812,
    "created": 3,
    "updated": 1,
    "unchanged": 7,
    "deleted": 2,
    "held": 5,
    "conflicts": 4,
    "errors": 1,
    "duration_seconds": 1.5,
}


@pytest.fixture
async def port() -> AsyncIterator[ControlPort]:
    async with control_port() as port:
        yield port


async def ask(port: ControlPort, method: str, name: str) -> tuple[int, Any]:
    return await port.ask(method, f"{PLACE}/{name}", None if method == "GET" else {})


async def test_status_has_the_shape_of_the_replaced_service(port: ControlPort) -> None:
    port.service.facts["next_fire_time"] = port.clock.now() + timedelta(minutes=12, seconds=30)

    status, body = await ask(port, "GET", "status")

    assert status == 200
    assert body == {
        "success": True,
        "status": {
            "is_running": True,
            "redis_connected": True,
            "last_sync_time": "2026-11-21T05:30:00Z",
            "next_sync_in_minutes": 12.5,
        },
        "background_task": {"running": True, "task_exists": True, "task_done": False},
    }


async def test_a_stopped_service_has_no_next_sync_and_a_job_that_never_ran_no_last(
    port: ControlPort,
) -> None:
    port.service.facts = {
        "is_running": False,
        "is_alive": False,
        "synced_at": None,
        "next_fire_time": port.clock.now() + timedelta(minutes=5),
    }

    _, body = await ask(port, "GET", "status")

    assert body["status"]["is_running"] is False
    assert body["status"]["last_sync_time"] is None
    assert body["status"]["next_sync_in_minutes"] is None
    assert body["background_task"] == {"running": False, "task_exists": True, "task_done": True}


@pytest.mark.parametrize(
    ("redis", "postgresql", "verdict"),
    [
        (True, True, "healthy"),
        (False, True, "degraded"),
        (True, False, "degraded"),
        (False, False, "degraded"),
    ],
)
async def test_health_tells_which_side_is_away_and_answers_all_the_same(
    port: ControlPort, redis: bool, postgresql: bool, verdict: str
) -> None:
    port.service.is_redis_up = redis
    port.service.facts = {"postgres_connected": postgresql}
    port.service.store_error = "" if postgresql else "cannot use PostgreSQL"

    status, body = await ask(port, "GET", "health")

    assert (status, body) == (
        200,
        {
            "success": True,
            "health": {
                "redis_connected": redis,
                "postgres_connected": postgresql,
                "service_running": True,
                "last_sync": SYNCED_AT.isoformat().replace("+00:00", "Z"),
            },
            "status": verdict,
        },
    )


async def test_metrics_count_both_sides_and_say_nothing_of_one_that_is_away(
    port: ControlPort,
) -> None:
    port.service.counts = {"postgres_users": None, "boards": {"daily": 2, "weekly": None}}

    status, body = await ask(port, "GET", "metrics")
    _, told = await ask(port, "GET", "status")

    assert (status, body) == (
        200,
        {
            "success": True,
            "metrics": {
                "postgres_users": None,
                "redis_counts": {"daily_leaderboard": 2, "weekly_leaderboard": None},
                "sync_service": told["status"],
            },
        },
    )


async def test_sync_starts_a_run_and_answers_with_what_it_did(port: ControlPort) -> None:
    port.service.ends = {"outcome": "succeeded", **SYNCED}

    status, body = await ask(port, "POST", "sync")

    assert (status, body) == (200, {"success": True, "message": "Sync completed", "stats": STATS})
    assert port.service.orders == [("trigger", JOB, RunOptions(), None)]
    assert port.service.waits == [300]


@pytest.mark.parametrize(
    ("outcome", "message"),
    [
        ("partial", "Sync completed in part: 1 user was set aside"),
        ("held", "Sync completed, and something waits for a person: 1 user was set aside"),
        ("running", "Sync goes on as run 4812: `syncd show 4812` tells how it ends"),
    ],
)
async def test_sync_says_what_else_there_is_to_know(
    port: ControlPort, outcome: str, message: str
) -> None:
    port.service.ends = {"outcome": outcome, "error": "1 user was set aside"}

    status, body = await ask(port, "POST", "sync")

    assert (status, body["success"], body["message"]) == (200, True, message)
    assert body["stats"]["run"] == 4812


@pytest.mark.parametrize(
    ("retryable", "expected"),
    [(True, 503), (False, 500)],
    ids=["passes by itself", "wants a person"],
)
async def test_a_sync_that_came_to_nothing_is_no_success(
    port: ControlPort, retryable: bool, expected: int
) -> None:
    port.service.ends = {
        "outcome": "failed",
        "error": "key 'leaderboard:daily' is a string",
        "hint": "delete it",
        "retryable": retryable,
    }

    status, body = await ask(port, "POST", "sync")

    assert (status, body["success"], body["hint"]) == (expected, False, "delete it")
    assert body["error"] == body["message"]
    assert body["error"] == (f"run 4812 of {JOB} was failed: key 'leaderboard:daily' is a string")
    assert body["stats"]["created"] == 0


async def test_without_redis_nothing_is_started_and_no_allowance_is_used(
    port: ControlPort,
) -> None:
    port.service.is_redis_up = False
    refusals = [await ask(port, "POST", "sync") for _ in range(5)]
    port.service.is_redis_up = True
    status, _ = await ask(port, "POST", "sync")

    assert refusals[-1] == (
        503,
        {
            "success": False,
            "message": "cannot use Redis here: ConnectionError",
            "error": "cannot use Redis here: ConnectionError",
            "hint": "start it",
        },
    )
    assert status == 200
    assert len(port.service.orders) == 1


async def test_a_sync_while_a_run_is_active_names_that_run(port: ControlPort) -> None:
    port.service.active = 4711

    status, body = await ask(port, "POST", "sync")

    assert (status, body["success"], body["run_id"]) == (409, False, 4711)


async def test_sync_and_trigger_share_one_allowance(port: ControlPort) -> None:
    for _ in range(2):
        await ask(port, "POST", "sync")
    await port.ask("POST", f"/api/jobs/{JOB}/trigger", {})

    async with port.session.post(port.url(f"{PLACE}/sync"), json={}) as answer:
        body = await answer.json()
    triggered, _ = await port.ask("POST", f"/api/jobs/{JOB}/trigger", {})

    assert (answer.status, answer.headers["Retry-After"], triggered) == (429, "60", 429)
    assert (body["success"], body["message"]) == (False, body["error"])
    assert len(port.service.orders) == 3


async def test_a_sync_that_was_ordered_before_with_the_same_key_is_only_waited_for(
    port: ControlPort,
) -> None:
    headers = {"Idempotency-Key": "of-the-caller"}
    answers = [await port.ask("POST", f"{PLACE}/sync", {}, headers=headers) for _ in range(2)]

    assert [body["stats"]["run"] for _, body in answers] == [4812, 4812]
    assert len(port.service.orders) == 1


async def test_a_sync_does_not_keep_others_from_asking(port: ControlPort) -> None:
    port.service.may_end.clear()
    async with asyncio.TaskGroup() as group:
        syncing = group.create_task(ask(port, "POST", "sync"))
        status, _ = await ask(port, "GET", "status")
        port.service.may_end.set()

    assert (status, syncing.result()[0]) == (200, 200)


async def test_start_resumes_the_job_and_stop_pauses_it(port: ControlPort) -> None:
    stopped = await ask(port, "POST", "stop")
    started = await ask(port, "POST", "start")

    assert stopped == (200, {"success": True, "message": "Periodic sync stopped"})
    assert started == (200, {"success": True, "message": "Periodic sync started"})
    why = "stopped by /api/periodic-sync/stop"
    assert port.service.orders == [
        ("pause", PauseScope.JOB, JOB, why, None, "token"),
        ("resume", PauseScope.JOB, JOB, "token"),
    ]


async def test_a_stop_of_what_somebody_paused_leaves_their_reason(port: ControlPort) -> None:
    port.service.facts = {"is_stopped": True}

    status, body = await ask(port, "POST", "stop")

    assert (status, body["success"], port.service.orders) == (200, True, [])


async def test_a_start_that_changes_nothing_says_what_keeps_the_job(port: ControlPort) -> None:
    port.service.facts = {"is_running": False, "why": "job leaderboard is off"}

    status, body = await ask(port, "POST", "start")

    message = "Periodic sync does not run: job leaderboard is off"
    assert (status, body) == (200, {"success": True, "message": message})


@pytest.mark.parametrize(("method", "name"), CALLS)
async def test_without_a_leaderboard_job_there_is_nothing_to_tell(
    port: ControlPort, method: str, name: str
) -> None:
    port.service.leaderboard = ""

    status, body = await ask(port, method, name)

    assert (status, body["success"]) == (404, False)
    assert body["message"] == body["error"] == "config.toml has no job of kind leaderboard"
    assert body["hint"] == "add one"


@pytest.mark.parametrize(("method", "name"), CALLS)
@pytest.mark.parametrize(
    ("headers", "refusal"),
    [
        ({}, 401),
        ({"Authorization": "Bearer wrong"}, 401),
        ({"Authorization": f"Bearer {TOKEN}", "Host": "evil.example"}, 403),
    ],
)
async def test_a_stranger_learns_nothing_and_changes_nothing(
    port: ControlPort, method: str, name: str, headers: dict[str, str], refusal: int
) -> None:
    async with (
        aiohttp.ClientSession() as stranger,
        stranger.request(method, port.url(f"{PLACE}/{name}"), headers=headers) as answer,
    ):
        body = await answer.json()

    assert (answer.status, body["success"], port.service.orders) == (refusal, False, [])


@pytest.mark.parametrize("name", ORDERS)
async def test_an_order_is_audited_and_refused_where_another_leads(
    port: ControlPort, name: str
) -> None:
    port.service.leads_elsewhere = NotLeading("this syncd stands by")

    status, body = await ask(port, "POST", name)

    (used,) = port.named("control.used")
    assert (status, body["message"]) == (409, "this syncd stands by")
    assert (used.path, used.status, used.actor) == (f"{PLACE}/{name}", 409, "token")
    assert port.service.orders == []


@pytest.mark.parametrize("name", QUESTIONS)
async def test_questions_are_answered_where_another_leads_and_while_postgresql_is_away(
    port: ControlPort, name: str
) -> None:
    port.service.leads_elsewhere = NotLeading("this syncd stands by")
    port.service.store_error = "cannot use PostgreSQL"

    status, body = await ask(port, "GET", name)

    assert (status, body["success"]) == (200, True)


async def test_a_body_that_is_not_taken_is_refused_in_the_same_words(port: ControlPort) -> None:
    status, body = await port.ask("POST", f"{PLACE}/sync", {"force": True})

    assert (status, body["success"]) == (422, False)
    assert body["message"] == body["error"] == "force: unknown key"


async def test_the_description_has_all_six(port: ControlPort) -> None:
    _, document = await port.ask("GET", "/api/openapi.json")

    found = {
        (method.upper(), path.removeprefix(f"{PLACE}/"))
        for path, methods in document["paths"].items()
        if path.startswith(PLACE)
        for method in methods
    }
    assert found == set(CALLS)


async def test_other_addresses_refuse_as_before(port: ControlPort) -> None:
    status, body = await port.ask("GET", "/api/jobs/nobody")

    assert (status, set(body)) == (404, {"error", "hint"})
