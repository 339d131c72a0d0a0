"""The addresses of leaderboards: what they pass on, what they refuse, how often they start runs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from fakes.control import HOSTILE_USER, JOB, ControlPort, control_port

from syncd.model.leaderboard import PlanState
from syncd.model.run import RunOptions

LARGEST = 2**63 - 1


@pytest.fixture
async def port() -> AsyncIterator[ControlPort]:
    async with control_port() as port:
        yield port


async def test_decisions_reach_the_daemon_with_who_decided(port: ControlPort) -> None:
    given = {"digest": "d1", "deletes": 12, "state": "rejected"}

    approved = await port.ask("POST", "/api/plans/3/approve", given)
    rejected = await port.ask("POST", "/api/plans/4/reject", {"why": "they are only late"})

    assert approved == (200, {"plan": {"id": 3}, "run": None, "note": ""})
    assert rejected == (200, {"plan": {"id": 4}})
    assert port.service.orders == [
        ("approve_plan", 3, "d1", 12, "token", PlanState.REJECTED),
        ("reject_plan", 4, "they are only late", "token", None),
    ]


async def test_plans_and_backups_are_listed_as_they_are_asked_for(port: ControlPort) -> None:
    assert await port.ask("GET", f"/api/plans?job={JOB}&state=expired&limit=500") == (
        200,
        {"plans": [{"id": 3, "job": JOB, "state": "expired"}]},
    )
    assert await port.ask("GET", "/api/backups") == (200, {"backups": [{"id": 5, "job": JOB}]})
    assert await port.ask("GET", "/api/backups?job=x") == (
        200,
        {"backups": [{"id": 5, "job": "x"}]},
    )


async def test_hostile_user_ids_arrive_as_they_are_in_pure_json(port: ControlPort) -> None:
    _, body = await port.ask("GET", "/api/plans/3")
    raw = await port.say(
        "GET /api/plans/3 HTTP/1.1",
        f"Host: 127.0.0.1:{port.server.port}",
        f"Authorization: {port.session.headers['Authorization']}",
        "Connection: close",
    )

    assert body["rows"] == [HOSTILE_USER]
    assert b"\x1b" not in raw
    assert b"content-type: application/json" in raw.lower()


@pytest.mark.parametrize(
    ("path", "given", "options"),
    [
        (f"/api/jobs/{JOB}/rehydrate", {}, RunOptions(act="rehydrate")),
        (
            f"/api/jobs/{JOB}/rehydrate",
            {"dry_run": True},
            RunOptions(act="rehydrate", dry_run=True),
        ),
        ("/api/runs/4812/undo", {}, RunOptions(act="undo", of=4812)),
        ("/api/backups/5/restore", {}, RunOptions(act="restore", of=5)),
    ],
)
async def test_the_ways_back_are_runs_of_the_job(
    port: ControlPort, path: str, given: dict[str, Any], options: RunOptions
) -> None:
    port.service.started[4812] = {"id": 4812, "job": JOB}

    first = await port.ask("POST", path, given, {"Idempotency-Key": "k"})
    again = await port.ask("POST", path, given, {"Idempotency-Key": "k"})

    assert first == again == (202, {"id": 4813, "job": JOB})
    assert port.service.orders == [("trigger", JOB, options, "k")]


async def test_each_way_back_has_an_allowance_of_its_own_and_decisions_need_none(
    port: ControlPort,
) -> None:
    port.service.started[4812] = {"id": 4812, "job": JOB}
    ways = ("jobs/github-profiles/rehydrate", "runs/4812/undo", "backups/5/restore")
    starts = (*ways, "jobs/github-profiles/trigger")

    first = [(await port.ask("POST", f"/api/{path}", {}))[0] for path in starts * 3]
    statuses = [(await port.ask("POST", f"/api/{path}", {}))[0] for path in starts]
    decided = [
        (await port.ask("POST", "/api/plans/3/approve", {"digest": "d"}))[0] for _ in range(9)
    ]

    assert (first, statuses) == ([202] * 12, [429] * 4)
    assert decided == [200] * 9


@pytest.mark.parametrize(
    ("method", "path", "given"),
    [
        ("POST", "/api/plans/3/approve", {}),
        ("POST", "/api/plans/3/approve", {"digest": ""}),
        ("POST", "/api/plans/3/approve", {"digest": "d" * 129}),
        ("POST", "/api/plans/3/approve", {"digest": "d\n"}),
        ("POST", "/api/plans/3/approve", {"digest": "d", "deletes": -1}),
        ("POST", "/api/plans/3/approve", {"digest": "d", "deletes": LARGEST + 1}),
        ("POST", "/api/plans/3/approve", {"digest": "d", "deletes": "12"}),
        ("POST", "/api/plans/3/approve", {"digest": "d", "deletes": True}),
        ("POST", "/api/plans/3/approve", {"digest": "d", "force": True}),
        ("POST", "/api/plans/3/approve", {"digest": "d", "state": "open"}),
        ("POST", "/api/plans/3/reject", {"why": "a\x1b[31m"}),
        ("POST", "/api/plans/3/reject", {"why": "x" * 501}),
        ("POST", f"/api/jobs/{JOB}/rehydrate", {"dry_run": "yes"}),
        ("POST", "/api/jobs/profiles/rehydrate", {}),
        ("GET", "/api/plans?state=open", None),
        ("GET", "/api/plans?limit=501", None),
        ("GET", "/api/plans?job=", None),
        ("GET", "/api/backups?limit=1", None),
    ],
)
async def test_what_cannot_be_meant_is_refused(
    port: ControlPort, method: str, path: str, given: Any
) -> None:
    status, body = await port.ask(method, path, given)

    assert (status, bool(body["error"])) == (422, True)
    assert port.service.orders == []


@pytest.mark.parametrize("number", ["0x1", "-1", "9" * 20, str(LARGEST + 1), "%00"])
@pytest.mark.parametrize(
    "path", ["plans/{}/approve", "plans/{}/reject", "runs/{}/undo", "backups/{}/restore"]
)
async def test_numbers_that_nothing_can_have_are_not_known(
    port: ControlPort, path: str, number: str
) -> None:
    given = {"digest": "d"} if "approve" in path else {}

    status, _ = await port.ask("POST", f"/api/{path.format(number)}", given)

    assert status in {400, 404}
    assert port.service.orders == []
