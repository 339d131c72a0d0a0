"""The addresses of grants and of the replaced Spotify sync, over the real control port."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from fakes.control import JOB, ControlPort, control_port
from fakes.memory_grants import grant_answer

from syncd.model.grant import GrantEntry
from syncd.model.run import RunOptions

CANARY = "canary-refresh-7"
GRANT = "/api/users/ada/tokens/spotify"
SYNC_ALL = "/api/spotify/sync-all-users"
CONTEST_SYNC = "/contests/sync/all"
GIVEN = {"refresh_token": CANARY, "granted_at": "2026-09-01T12:00:00+02:00"}


@pytest.fixture
async def port() -> AsyncIterator[ControlPort]:
    async with control_port() as port:
        yield port


def audited(port: ControlPort) -> str:
    return " ".join(str(event) for event in port.events)


async def test_grants_are_listed_by_page_and_state(port: ControlPort) -> None:
    port.service.grants = [grant_answer("ada"), grant_answer("bo")]

    status, body = await port.ask("GET", "/api/tokens?after=ada&limit=5&state=expiring")

    assert (status, [grant["key"] for grant in body["tokens"]]) == (200, ["bo"])
    assert port.service.looks == [("ada", 5, "expiring")]


async def test_a_file_of_grants_is_passed_on_and_the_audit_tells_its_size_only(
    port: ControlPort,
) -> None:
    content = f"key,refresh_token,granted_at\nada,{CANARY},2026-09-01T10:00Z\n"
    given = {"format": "csv", "content": content, "dry_run": True}

    status, body = await port.ask("POST", "/api/tokens/import", given)

    assert (status, body["created"]) == (200, 1180)
    assert port.service.orders == [("import_tokens", len(content), "csv", True)]
    assert f"{len(content)} characters" in audited(port)
    assert CANARY not in audited(port)


async def test_one_grant_is_put_and_its_tokens_are_told_nowhere(port: ControlPort) -> None:
    given = {**GIVEN, "access_token": "canary-access-7", "handle": "ada-listens"}

    status, body = await port.ask("PUT", GRANT, given)

    assert (status, body["changed"]) == (200, "created")
    entry = GrantEntry(
        key="ada",
        platform="spotify",
        handle="ada-listens",
        refresh_token=CANARY,
        access_token="canary-access-7",
        granted_at=datetime(2026, 9, 1, 10, tzinfo=UTC),
    )
    assert port.service.orders == [("put_token", entry)]
    assert "canary-" not in audited(port) + json.dumps(body) + repr(entry)


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"refresh_token": CANARY}, "granted_at: is missing"),
        ({**GIVEN, "granted_at": "2026-09-01T10:00"}, "granted_at: needs an offset"),
        ({**GIVEN, CANARY: "x"}, "unknown key"),
        ({**GIVEN, "refresh_token": [CANARY]}, "refresh_token: must be"),
        ({**GIVEN, "scopes": f"{CANARY}\n"}, "scopes: must hold printable"),
    ],
)
async def test_a_grant_that_does_not_fit_is_refused_without_being_repeated(
    port: ControlPort, given: Any, problem: str
) -> None:
    status, body = await port.ask("PUT", GRANT, given)

    assert status == 422
    assert problem in "; ".join(body["problems"])
    assert "canary-" not in json.dumps(body) + audited(port)
    assert port.service.orders == []


@pytest.mark.parametrize(
    ("query", "given", "forget"),
    [
        ("", None, False),
        ("?history=keep", {}, False),
        ("?history=forget", None, True),
        ("", {"history": "forget"}, True),
    ],
)
async def test_disconnecting_keeps_the_history_unless_it_is_to_be_forgotten(
    port: ControlPort, query: str, given: Any, forget: bool
) -> None:
    status, body = await port.ask("DELETE", GRANT + query, given)

    assert (status, body["history"]) == (200, "forgotten" if forget else "kept")
    assert port.service.orders == [("disconnect", "ada", "spotify", forget)]


@pytest.mark.parametrize(
    ("query", "given"),
    [("?history=burn", None), ("?histroy=forget", None), ("?history=forget", {"history": "keep"})],
)
async def test_a_disconnect_that_cannot_be_meant_removes_nothing(
    port: ControlPort, query: str, given: Any
) -> None:
    status, body = await port.ask("DELETE", GRANT + query, given)

    assert (status, set(body)) == (422, {"error", "hint", "problems"})
    assert port.service.orders == []


async def test_a_form_of_another_origin_disconnects_nobody(port: ControlPort) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}

    status, _ = await port.ask("DELETE", f"{GRANT}?history=forget", headers=headers)

    assert (status, port.service.orders) == (415, [])


async def test_the_key_is_rotated(port: ControlPort) -> None:
    status, body = await port.ask("POST", "/api/tokens/rotate-key")

    assert (status, body["resealed"]) == (200, 1204)


async def test_the_replaced_contest_sync_starts_a_run_of_the_contests_job(
    port: ControlPort,
) -> None:
    port.service.contests = JOB

    status, body = await port.ask("POST", CONTEST_SYNC, {})

    assert (status, body) == (202, {"message": "Sync triggered successfully", "run": 4812})
    assert port.service.orders == [("trigger", JOB, RunOptions(), None)]


@pytest.mark.parametrize(("header", "status"), [({}, 404), ({"Authorization": "Bearer no"}, 401)])
async def test_the_replaced_contest_sync_needs_a_job_and_the_token(
    port: ControlPort, header: dict[str, str], status: int
) -> None:
    found, body = await port.ask("POST", CONTEST_SYNC, {}, headers=header)

    assert (found, {"error", "hint"} <= set(body)) == (status, True)
    assert port.service.orders == []


async def test_the_replaced_sync_starts_a_run_of_the_listening_job(port: ControlPort) -> None:
    port.service.listening = JOB

    status, body = await port.ask("POST", SYNC_ALL, {})

    assert status == 202
    assert body == {
        "success": True,
        "message": "Sync started for all users",
        "run": {"id": 4812, "job": JOB},
    }
    assert port.service.orders == [("trigger", JOB, RunOptions(), None)]


async def test_the_replaced_sync_is_refused_with_the_number_of_the_run_that_is_active(
    port: ControlPort,
) -> None:
    port.service.listening, port.service.active = JOB, 4711

    status, body = await port.ask("POST", SYNC_ALL, {})

    assert (status, body["run_id"], body["success"]) == (409, 4711, False)
    assert body["message"] == body["error"]


async def test_the_replaced_sync_is_not_found_without_a_listening_job(port: ControlPort) -> None:
    status, body = await port.ask("POST", SYNC_ALL, {})

    assert status == 404
    assert {"error", "hint"} <= set(body)


async def test_the_replaced_sync_needs_the_token(port: ControlPort) -> None:
    port.service.listening = JOB

    status, _ = await port.ask("POST", SYNC_ALL, {}, headers={"Authorization": "Bearer wrong"})

    assert (status, port.service.orders) == (401, [])


async def test_the_description_names_what_may_stand_in_the_query_of_a_disconnect(
    port: ControlPort,
) -> None:
    _, body = await port.ask("GET", "/api/openapi.json")

    told = body["paths"]["/api/users/{key}/tokens/{platform}"]["delete"]["parameters"]
    assert [each["name"] for each in told] == ["key", "platform", "history"]
    assert {SYNC_ALL, CONTEST_SYNC} <= set(body["paths"])
