"""What changes a running daemon, over the real control port: jobs, and config.toml."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from fakes.control import JOB, TOKEN, ControlPort, control_port

from syncd.errors import ConfigError, NotLeading
from syncd.model.override import JobChange
from syncd.web.client import ControlClient

CHANGES = [("PATCH", f"/api/jobs/{JOB}", {"enabled": False}), ("POST", "/api/reload", {})]


@pytest.fixture
async def port() -> AsyncIterator[ControlPort]:
    async with control_port() as port:
        yield port


async def test_a_change_is_passed_on_with_who_asked_for_it(port: ControlPort) -> None:
    given = {"schedule": "0 * * * *", "timezone": "UTC", "why": "quieter", "catch_up": True}

    status, _ = await port.ask("PATCH", f"/api/jobs/{JOB}", given)

    change = JobChange(schedule="0 * * * *", timezone="UTC", why="quieter", catch_up=True)
    assert status == 200
    assert port.service.orders == [("change", JOB, change, "token")]


async def test_a_reload_is_passed_on_where_another_leads_and_only_shown_when_so_asked(
    port: ControlPort,
) -> None:
    port.service.leads_elsewhere = NotLeading("this syncd stands by")

    changed, _ = await port.ask("PATCH", f"/api/jobs/{JOB}", {"enabled": False})
    reloaded, _ = await port.ask("POST", "/api/reload", {"dry_run": True})

    assert (changed, reloaded) == (409, 200)
    assert port.service.orders == [("reload", True, "token")]
    assert [event.path for event in port.named("control.used")][-1] == "/api/reload"


async def test_alerts_are_tried_also_where_another_leads_and_while_the_database_is_away(
    port: ControlPort,
) -> None:
    port.service.leads_elsewhere = NotLeading("this syncd stands by")
    port.service.store_error = "PostgreSQL does not answer"

    status, came = await port.ask("POST", "/api/alerts/test", {})

    assert (status, came) == (200, port.service.tested)
    assert port.service.orders == [("test_alert",)]


async def test_a_change_leaves_a_line_for_the_audit(port: ControlPort) -> None:
    await port.ask("PATCH", f"/api/jobs/{JOB}", {"enabled": False, "why": "too loud"})

    (used,) = port.named("control.used")
    assert (used.actor, used.peer, used.method) == ("token", "127.0.0.1", "PATCH")
    assert used.detail == '{"enabled":false,"why":"too loud"}'


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"enabled": "no"}, "enabled: must be true or false"),
        ({"enable": True}, 'enable: unknown key, did you mean "enabled"?'),
        ({"schedule": ""}, "schedule: must have at least 1 character"),
        ({"schedule": "x" * 501}, "schedule: must have at most 500 characters"),
        ({"every": 90}, "every: must be text"),
        ({"why": "one\nline"}, "why: must hold printable characters only"),
    ],
)
async def test_a_change_that_cannot_be_read_is_refused(
    port: ControlPort, given: dict[str, Any], problem: str
) -> None:
    status, body = await port.ask("PATCH", f"/api/jobs/{JOB}", given)

    assert (status, body["problems"]) == (422, [problem])
    assert port.service.orders == []


@pytest.mark.parametrize(("method", "path", "given"), CHANGES)
@pytest.mark.parametrize(
    ("headers", "refusal"),
    [
        ({}, 401),
        ({"Authorization": "Bearer wrong"}, 401),
        ({"Authorization": f"Bearer {TOKEN}", "Host": "evil.example"}, 403),
        ({"Authorization": f"Bearer {TOKEN}", "Origin": "http://evil.example"}, 403),
    ],
)
async def test_a_stranger_changes_nothing(
    port: ControlPort,
    method: str,
    path: str,
    given: dict[str, Any],
    headers: dict[str, str],
    refusal: int,
) -> None:
    async with (
        aiohttp.ClientSession() as stranger,
        stranger.request(method, port.url(path), json=given, headers=headers) as answer,
    ):
        assert answer.status == refusal

    assert port.service.orders == []


async def test_a_broken_file_is_a_conflict_with_every_problem(port: ControlPort) -> None:
    problems = ("config.toml:3: jobs.x: one", "config.toml:9: deamon: unknown key")
    port.service.failure = ConfigError(*problems, hint="mend it")

    status, body = await port.ask("POST", "/api/reload", {})

    assert (status, body["problems"], body["hint"]) == (409, list(problems), "mend it")


async def test_the_client_raises_what_is_wrong_with_the_file(port: ControlPort) -> None:
    port.service.failure = ConfigError("config.toml:3: jobs.x: one", hint="mend it")
    client = ControlClient("127.0.0.1", port.server.port, TOKEN)

    with pytest.raises(ConfigError) as refusal:
        await asyncio.to_thread(client.post, "/api/reload")

    assert (refusal.value.problems, refusal.value.hint) == (
        ("config.toml:3: jobs.x: one",),
        "mend it",
    )


async def test_the_description_names_both(port: ControlPort) -> None:
    _, document = await port.ask("GET", "/api/openapi.json")

    change = document["paths"]["/api/jobs/{job}"]["patch"]
    keys = change["requestBody"]["content"]["application/json"]["schema"]["properties"]
    assert {"enabled", "schedule", "every", "timezone", "why", "reset", "catch_up"} == set(keys)
    assert "409" in document["paths"]["/api/reload"]["post"]["responses"]
