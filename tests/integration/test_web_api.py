"""The addresses: what they pass on, what they answer, what they refuse."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest
from fakes.control import JOB, TOKEN, ControlPort, control_port
from structlog.testing import capture_logs

from syncd.errors import NotLeading, StoreUnavailable
from syncd.model.account import UserEntry
from syncd.model.pause import PauseScope
from syncd.model.run import RunOptions
from syncd.web.server import all_routes

# What a change needs to be understood, where it is more than nothing.
GIVEN: dict[str, Any] = {
    "/api/users/import": {"format": "csv", "content": "key,github\n"},
    "/api/users/{key}/opt-out": {"opted_out": True},
    "PUT /api/users/{key}/tokens/{platform}": {
        "refresh_token": "canary-refresh-7",
        "granted_at": "2026-11-01T10:00:00Z",
    },
    "/api/tokens/import": {"format": "csv", "content": "key,refresh_token,granted_at\n"},
    "/api/dead-letters/requeue": {"all": True},
    "/api/dead-letters/discard": {"all": True},
    "/api/outbox/retry": {"all_unknown": True},
    "/api/plans/{id}/approve": {"digest": "d1"},
}
HOSTILE = "'; DROP TABLE users; --"


@pytest.fixture
async def port() -> AsyncIterator[ControlPort]:
    async with control_port() as port:
        yield port


async def test_probes_tell_nothing_without_the_token(port: ControlPort) -> None:
    port.service.ready = (False, "PostgreSQL at db.internal does not answer")

    async with aiohttp.ClientSession() as stranger:
        answers = []
        for path in ("/live", "/ready", "/health"):
            async with stranger.get(port.url(path)) as answer:
                answers.append((answer.status, await answer.json()))

    assert answers == [
        (200, {"status": "ok"}),
        (503, {"status": "not ready"}),
        (503, {"status": "degraded"}),
    ]


async def test_probes_tell_why_with_the_token(port: ControlPort) -> None:
    port.service.ready = (False, "PostgreSQL at db.internal does not answer")

    status, body = await port.ask("GET", "/ready")

    assert (status, body["why"]) == (503, "PostgreSQL at db.internal does not answer")


async def test_a_syncd_that_stands_by_is_not_ready_unless_that_is_fine(port: ControlPort) -> None:
    port.service.ready = (False, "there:7 leads")
    port.service.leads_elsewhere = NotLeading("there:7 leads", leader="10.0.0.7:8642")

    answers = [
        await port.ask("GET", f"/{path}") for path in ("ready", "ready?standby=ok", "health")
    ]

    body = {"status": "standby", "why": "there:7 leads"}
    assert answers == [(503, body), (200, body), (200, body)]


async def test_every_change_but_of_itself_is_refused_by_a_syncd_that_stands_by(
    port: ControlPort,
) -> None:
    port.service.leads_elsewhere = NotLeading("there:7 leads", leader="10.0.0.7:8642", hint="ask")
    routes = all_routes(port.service, port.clock)
    assert len([route for route in routes if route.changes]) > 8

    for route in routes:
        path = re.sub(r"{[a-z_]+}", "1", route.path)
        if route.changes and route.needs_lead:
            given = GIVEN.get(f"{route.method} {route.path}") or GIVEN.get(route.path, {})
            status, body = await port.ask(route.method, path, given)
            assert (status, body["leader"]) == (409, "10.0.0.7:8642"), path

    assert port.service.orders == []
    assert (await port.ask("GET", "/api/status"))[0] == 200


async def test_trigger_passes_its_options_on(port: ControlPort) -> None:
    given = {"only": ["ada"], "platform": "github", "limit": 5, "full": True, "dry_run": True}

    status, body = await port.ask(
        "POST", f"/api/jobs/{JOB}/trigger", given, {"Idempotency-Key": "k"}
    )

    assert (status, body) == (202, {"id": 4812, "job": JOB})
    options = RunOptions(only=("ada",), platform="github", limit=5, full=True, dry_run=True)
    assert port.service.orders == [("trigger", JOB, options, "k")]


@pytest.mark.parametrize(
    ("path", "scope", "key"),
    [
        ("/api", PauseScope.ALL, ""),
        (f"/api/jobs/{JOB}", PauseScope.JOB, JOB),
        ("/api/platforms/github", PauseScope.PLATFORM, "github"),
    ],
)
async def test_pause_and_resume_reach_what_they_name(
    port: ControlPort, path: str, scope: PauseScope, key: str
) -> None:
    until = datetime(2026, 3, 1, 12, tzinfo=UTC)
    given = {"why": "moving house", "until": "2026-03-01T17:30:00+05:30"}

    paused = await port.ask("POST", f"{path}/pause", given)
    resumed = await port.ask("POST", f"{path}/resume")

    assert (paused, resumed) == ((200, {"paused": True}), (200, {"paused": False}))
    assert port.service.orders == [
        ("pause", scope, key, "moving house", until, "token"),
        ("resume", scope, key, "token"),
    ]


async def test_pause_until_the_past_is_refused(port: ControlPort) -> None:
    until = (port.clock.now() - timedelta(hours=1)).isoformat()

    status, body = await port.ask("POST", "/api/pause", {"until": until})

    assert (status, body["hint"]) == (422, "give a later instant")


async def test_user_is_put_read_and_deleted(port: ControlPort) -> None:
    given = {"accounts": {"github": "octocat"}, "last_login_at": "2026-01-01T00:00:00Z"}

    put = await port.ask("PUT", "/api/users/ada%20l.", given)
    read = await port.ask("GET", "/api/users/ada%20l.")
    deleted = await port.ask("DELETE", "/api/users/ada%20l.")
    gone, _ = await port.ask("GET", "/api/users/ada%20l.")

    assert put == read == (200, {"key": "ada l.", "accounts": {"github": "octocat"}})
    assert (deleted[0], deleted[1]["deleted"]) == (200, True)
    assert gone == 404
    entry = UserEntry(
        key="ada l.",
        accounts={"github": "octocat"},
        last_login_at=datetime(2026, 1, 1, tzinfo=UTC),
    )
    assert port.service.orders[0] == ("put_user", entry)


@pytest.mark.parametrize("key", ["a%2Fb", "..%2f..%2fetc", "a%00b", "a%0Ab", "x" * 129, "a%1bb"])
async def test_key_with_slashes_or_control_characters_is_refused(
    port: ControlPort, key: str
) -> None:
    status, body = await port.ask("PUT", f"/api/users/{key}", {})

    assert (status, set(body)) == (422, {"error", "hint", "problems"})
    assert port.service.orders == []


async def test_hostile_text_is_a_value_like_any_other(port: ControlPort) -> None:  # S34
    await port.ask("PUT", f"/api/users/{HOSTILE}", {"accounts": {"github": HOSTILE}})

    status, body = await port.ask("GET", f"/api/users/{HOSTILE}")

    assert (status, body) == (200, {"key": HOSTILE, "accounts": {"github": HOSTILE}})


@pytest.mark.parametrize(
    ("path", "given"),
    [
        (f"/api/jobs/{JOB}/trigger", {"limit": "5"}),
        (f"/api/jobs/{JOB}/trigger", {"limit": 0}),
        (f"/api/jobs/{JOB}/trigger", {"only": "ada"}),
        (f"/api/jobs/{JOB}/trigger", {"only": ["a/b"]}),
        (f"/api/jobs/{JOB}/trigger", {"dryrun": True}),
        (f"/api/jobs/{JOB}/trigger", []),
        ("/api/pause", {"until": "2026-03-01T12:00:00"}),
        ("/api/pause", {"why": "one\nline"}),
        ("/api/users/ada/opt-out", {}),
        ("/api/users/ada/opt-out", {"opted_out": "yes"}),
        ("/api/users/import", {"format": "xml", "content": ""}),
    ],
)
async def test_body_that_does_not_fit_is_refused_with_its_problems(
    port: ControlPort, path: str, given: Any
) -> None:
    status, body = await port.ask("POST", path, given)

    assert status == 422
    assert body["problems"]
    assert port.service.orders == []


@pytest.mark.parametrize(
    ("path", "given", "problem", "hint"),
    [
        (f"/api/jobs/{JOB}/trigger", {"limit": "5"}, "limit: must be a whole number", "only, "),
        (f"/api/jobs/{JOB}/trigger", {"dryrun": 1}, "dryrun: unknown key, did you mean", "only, "),
        (f"/api/jobs/{JOB}/trigger", {"only": "ada"}, "only: must be a list", "only, "),
        (f"/api/jobs/{JOB}/trigger", {"full": 1}, "full: must be true or false", "only, "),
        (f"/api/jobs/{JOB}/trigger", {"limit": 0}, "limit: must be greater than", "only, "),
        (f"/api/jobs/{JOB}/trigger", [], "body: must be an object", "only, "),
        ("/api/pause", {"why": "one\nline"}, "why: must hold printable", "why, until"),
        ("/api/pause", {"why": "x" * 501}, "why: must have at most 500", "why, until"),
        ("/api/resume", {"why": "x"}, "why: unknown key", "this call takes nothing"),
        ("/api/users/ada/opt-out", {}, "opted_out: is missing", "opted_out"),
        ("/api/users/ada/opt-out", {"opted_out": "no"}, "opted_out: must be true or", "opted_out"),
        ("/api/users/import", {"format": "x", "content": ""}, "format: must be 'csv' or", "format"),
    ],
)
async def test_refusal_is_told_in_our_own_words_with_what_the_call_takes(
    port: ControlPort, path: str, given: Any, problem: str, hint: str
) -> None:
    _, body = await port.ask("POST", path, given)

    assert body["problems"][0].startswith(problem)
    assert hint in body["hint"]


@pytest.mark.parametrize(
    "at",
    [
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "1969-12-31T23:59:59Z",
        "10000-01-01T00:00:00Z",
        "2026-02-30T00:00:00Z",
        "soon",
        5,
        True,
    ],
)
async def test_date_that_cannot_be_is_one_sentence_naming_its_field(
    port: ControlPort, at: Any
) -> None:
    login = await port.ask("PUT", "/api/users/ada", {"last_login_at": at})
    until = await port.ask("POST", "/api/pause", {"until": at})

    assert (login[0], until[0]) == (422, 422)
    assert login[1]["error"].startswith("last_login_at: must be a date and time")
    assert until[1]["error"].startswith("until: must be a date and time")
    assert port.service.orders == []


async def test_login_date_without_an_offset_is_taken_as_utc(port: ControlPort) -> None:
    await port.ask("PUT", "/api/users/ada", {"last_login_at": "2026-01-05T10:00"})

    assert port.service.entries["ada"].last_login_at == datetime(2026, 1, 5, 10, tzinfo=UTC)


async def test_end_of_a_pause_needs_its_offset(port: ControlPort) -> None:
    _, body = await port.ask("POST", "/api/pause", {"until": "2026-03-01T12:00"})

    assert body["error"] == "until: needs an offset, such as Z or +05:30"


@pytest.mark.parametrize("key", [" ada", "ada ", "a%2Fb"])
async def test_refused_key_comes_with_what_a_key_is(port: ControlPort, key: str) -> None:
    _, body = await port.ask("PUT", f"/api/users/{key.replace(' ', '%20')}", {})

    assert body["hint"] == "a name is 1 to 128 printable characters, no slash, no space around it"


async def test_every_change_refuses_what_it_does_not_know(port: ControlPort) -> None:
    routes = [route for route in all_routes(port.service, port.clock) if route.changes]

    answers = {
        route.path: (
            await port.ask(
                route.method,
                route.path.format(job=JOB, platform="github", id=1, key="ada"),
                {"unheard_of": 1},
            )
        )
        for route in routes
    }

    assert {status for status, _ in answers.values()} == {422}
    assert all("unheard_of" in body["error"] for _, body in answers.values())
    assert port.service.orders == []


@pytest.mark.parametrize(
    "sent", [b"{", b"nope", b'{"a": "\xff"}', b'{"a": "\\ud800"}', b"[" * 9999]
)
async def test_body_that_is_no_json_is_refused(port: ControlPort, sent: bytes) -> None:
    async with port.session.post(
        port.url("/api/pause"), data=sent, headers={"Content-Type": "application/json"}
    ) as answer:
        body = await answer.json()

    assert (answer.status, set(body)) == (400, {"error", "hint"})


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=x", "before=-1", "size=9", "limit=1&limit=2", f"before={2**63}"]
)
async def test_query_that_does_not_fit_is_refused(port: ControlPort, query: str) -> None:
    status, _ = await port.ask("GET", f"/api/runs?{query}")

    assert status == 422


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/jobs/unknown", 404),
        ("/api/runs/1", 404),
        ("/api/runs/-1", 404),
        (f"/api/runs/{'9' * 5000}", 404),
        (f"/api/runs/{2**63}", 404),
        ("/api/nowhere", 404),
        ("/API/status", 404),
        ("/api/status/", 404),
    ],
)
async def test_what_does_not_exist_is_404_in_json(
    port: ControlPort, path: str, status: int
) -> None:
    answered, body = await port.ask("GET", path)

    assert answered == status
    assert {"error", "hint"} <= set(body)


async def test_wrong_method_is_405_and_names_the_right_ones(port: ControlPort) -> None:
    async with port.session.delete(port.url("/api/status")) as answer:
        body = await answer.json()

    assert (answer.status, answer.headers["Allow"]) == (405, "GET")
    assert body == {"error": "method not allowed", "hint": "allowed here: GET"}


async def test_lost_database_is_503_with_its_hint(port: ControlPort) -> None:
    port.service.failure = StoreUnavailable("cannot reach PostgreSQL", hint="it heals by itself")

    answer = await port.ask("GET", "/api/status")

    assert answer == (503, {"error": "cannot reach PostgreSQL", "hint": "it heals by itself"})


async def test_what_needs_a_lost_database_is_refused_before_it_is_tried(
    port: ControlPort,
) -> None:
    port.service.store_error = "cannot reach PostgreSQL"

    refused, _ = await port.ask("POST", f"/api/jobs/{JOB}/trigger")
    asked, _ = await port.ask("GET", "/api/status")

    assert (refused, asked) == (503, 200)
    assert port.service.orders == []


async def test_withdrawn_consent_is_a_conflict(port: ControlPort) -> None:
    status, body = await port.ask("POST", "/api/users/opted-out/sync")

    assert (status, body["error"]) == (409, "user 'opted-out' opted out")


async def test_unforeseen_failure_gives_a_reference_and_no_detail(port: ControlPort) -> None:
    port.service.failure = RuntimeError("password=hunter2")

    with capture_logs() as lines:
        status, body = await port.ask("GET", "/api/status")

    assert status == 500
    assert [line["reference"] for line in lines] == [body["reference"]]
    assert body["reference"] in body["hint"]
    assert "hunter2" not in str(body)


async def test_every_change_leaves_an_audit_event(port: ControlPort) -> None:  # S22
    await port.ask("POST", "/api/pause", {"why": "lunch"})
    await port.ask("POST", "/api/jobs/unknown/trigger")
    await port.ask("POST", "/api/users/ada/sync?x=1")

    used = [
        (event.actor, event.peer, event.method, event.path, event.status, event.detail)
        for event in port.named("control.used")
    ]

    assert used == [
        ("token", "127.0.0.1", "POST", "/api/pause", 200, '{"why":"lunch"}'),
        ("token", "127.0.0.1", "POST", "/api/jobs/unknown/trigger", 404, ""),
        ("token", "127.0.0.1", "POST", "/api/users/ada/sync", 202, ""),
    ]
    assert TOKEN not in str(port.events)


async def test_description_lists_every_address_that_answers(port: ControlPort) -> None:
    status, document = await port.ask("GET", "/api/openapi.json")

    described = {
        (method.upper(), path) for path, methods in document["paths"].items() for method in methods
    }
    answered = {(route.method, route.path) for route in all_routes(port.service, port.clock)}
    assert status == 200
    assert answered <= described
    assert {path for _, path in described - answered} == {
        "/live",
        "/ready",
        "/health",
        "/metrics",
        "/api/events",
        "/unsubscribe",
    }


@pytest.mark.parametrize("metrics_public", [False, True])
async def test_description_lists_every_refusal_and_whether_metrics_are_public(
    metrics_public: bool,
) -> None:
    async with control_port(metrics_public=metrics_public) as port:
        _, document = await port.ask("GET", "/api/openapi.json")

    listed = document["paths"]["/api/jobs/{job}/trigger"]["post"]["responses"]
    assert {"400", "408", "413", "415", "502"} <= set(listed)
    assert (document["paths"]["/metrics"]["get"].get("security") == []) is metrics_public
