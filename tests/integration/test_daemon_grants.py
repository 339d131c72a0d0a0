"""Grants over the real control port, in front of the real store: in, listed, rotated, gone."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from fakes.clock import FakeClock
from fakes.controlled import Desk, controlled
from fakes.daemon_config import merged, to_toml, usual_tables
from fakes.spotify_world import SpotifyWorld, doubles, plays_in
from fakes.web_port import Call, web_port

from syncd.store.database import Database
from syncd.telemetry.events import Event

USERS = 5
GRANT = "/api/users/u1/tokens/spotify"
SYNC_ALL = "/api/spotify/sync-all-users"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def world(clock: FakeClock) -> AsyncIterator[SpotifyWorld]:
    async with SpotifyWorld(USERS, clock=clock).served() as world:
        yield world


def text_of(database: Database, world: SpotifyWorld, **listening: Any) -> str:
    address = database.settings.address
    tables = {
        "database": {
            "host": address.host,
            "port": address.port,
            "user": address.user,
            "database": address.database,
            "schema": database.settings.schema,
        },
        "platforms.spotify": world.settings(**listening),
        "jobs.listening": {"kind": "listening", "every": "60m"},
    }
    return to_toml(merged(usual_tables(), tables))


@pytest.fixture
async def desk(
    database: Database, world: SpotifyWorld, clock: FakeClock, tmp_path: Path
) -> AsyncIterator[Desk]:
    (tmp_path / "config.toml").touch(0o600)
    (tmp_path / "state").mkdir(0o700)
    async with controlled(text_of(database, world), tmp_path, clock) as desk:
        await desk.core.health.ready.wait()
        yield desk


@pytest.fixture
async def call(desk: Desk) -> AsyncIterator[Call]:
    async with web_port(desk) as call:
        yield call


async def bring(call: Call, world: SpotifyWorld, *, dry_run: bool = False) -> Any:
    content = world.import_file(range(USERS))
    given = {"format": "json", "content": content, "dry_run": dry_run}
    status, _, body = await call("POST", "/api/tokens/import", **given)
    assert status == 200, body
    return body


async def test_a_file_of_grants_is_taken_once_and_listed_without_a_token(
    call: Call, world: SpotifyWorld
) -> None:
    looked = await bring(call, world, dry_run=True)
    taken = await bring(call, world)
    again = await bring(call, world)

    _, _, listed = await call("GET", "/api/tokens?limit=3")
    _, _, rest = await call("GET", "/api/tokens?limit=3&after=u2")
    counts = ("created", "renewed", "same")
    assert [[told[name] for name in counts] for told in (looked, taken, again)] == [
        *([USERS, 0, 0], [USERS, 0, 0], [0, 0, USERS]),
    ]
    assert [each["key"] for each in listed["tokens"]] == ["u0", "u1", "u2"]
    assert [each["key"] for each in rest["tokens"]] == ["u3", "u4"]
    assert {each["health"] for each in listed["tokens"]} == {"ok"}
    assert "canary" not in json.dumps([looked, taken, again, listed, rest])


async def test_problems_that_only_the_store_sees_are_told_with_their_lines(
    call: Call, world: SpotifyWorld
) -> None:
    good, bad = (json.loads(line) for line in world.import_file([0, 1]).splitlines())
    content = "\n".join(["", json.dumps(good), json.dumps({**bad, "handle": ""})])

    given = {"format": "json", "content": content}
    status, _, body = await call("POST", "/api/tokens/import", **given)
    _, _, listed = await call("GET", "/api/tokens")

    assert (status, len(body["problems"])) == (422, 1)
    assert body["problems"][0].startswith("line 3: handle: is missing")
    assert listed == {"tokens": []}
    assert "canary" not in json.dumps(body)


async def test_one_grant_is_put_twice_and_changes_once(call: Call, world: SpotifyWorld) -> None:
    given = json.loads(world.import_file([1]))
    body = {name: value for name, value in given.items() if name not in {"key", "platform"}}

    answers = [await call("PUT", GRANT, **body) for _ in range(2)]
    unknown = await call("PUT", "/api/users/u1/tokens/spotfy", **body)
    ungranted = await call("PUT", "/api/users/u1/tokens/github", **body)

    assert [told["changed"] for _, _, told in answers] == ["created", "same"]
    assert (unknown[0], ungranted[0]) == (404, 422)
    assert "canary" not in json.dumps([answers[0][2], unknown[2], ungranted[2]])


async def test_every_token_is_sealed_anew_and_the_old_key_is_named(
    call: Call, world: SpotifyWorld, database: Database
) -> None:
    await bring(call, world)
    _, _, before = await call("GET", "/api/tokens")

    status, _, told = await call("POST", "/api/tokens/rotate-key")

    _, _, after = await call("GET", "/api/tokens")
    old, new = ({each["key_id"] for each in listed["tokens"]} for listed in (before, after))
    assert (status, told["resealed"], told["is_new"]) == (200, USERS, True)
    assert new == {told["key_id"]}
    assert set(told["unused"]) == old


async def test_the_replaced_sync_starts_the_run_that_stores_every_play_once(
    desk: Desk, call: Call, world: SpotifyWorld, database: Database
) -> None:
    events: list[Event] = []
    with desk.core.bus.subscribed(events.append):
        await bring(call, world)
        _, _, job = await call("GET", "/api/jobs/listening")

        status, _, started = await call("POST", SYNC_ALL)
        run = await desk.end(started["run"]["id"])

    stored = await plays_in(database)
    _, _, told = await call("GET", f"/api/runs/{run['id']}")
    _, _, listed = await call("GET", "/api/runs?job=listening")
    _, _, screen = await call("GET", "/api/status")
    assert (status, started["success"]) == (202, True)
    assert started["message"] == "Sync started for all users"
    assert job["forecast"]["items"] == USERS
    assert (run["outcome"], run["seen"], run["created"]) == ("succeeded", USERS, USERS)
    assert stored == world.plays(range(USERS))
    assert await doubles(database) == []
    assert told["plays"]["inserted"] == len(stored)
    assert listed["runs"][0]["plays"] == told["plays"]
    listening = next(each for each in screen["jobs"] if each["name"] == "listening")
    assert listening["last_run"]["plays"] == told["plays"]
    assert listening["listening"]["grants"]["spotify"]["ok"] == USERS
    assert "canary" not in json.dumps([told, screen, started, job])
    assert "canary" not in " ".join(map(repr, events))


async def test_why_tells_grant_and_plays(desk: Desk, call: Call, world: SpotifyWorld) -> None:
    await bring(call, world)
    _, _, started = await call("POST", SYNC_ALL)
    await desk.end(started["run"]["id"])

    _, _, why = await call("GET", "/api/users/u1/why")

    [account] = why["accounts"]
    told = account["listening"]
    assert told["grant"]["health"] == "ok"
    assert told["grant"]["refreshed_at"] is not None
    assert told["plays"]["stored"] == len(world.plays([1]))
    assert told["gaps"] == []
    assert "canary" not in json.dumps(why)


@pytest.mark.parametrize("history", ["keep", "forget"])
async def test_disconnecting_removes_the_grant_and_the_history_only_if_asked(
    desk: Desk, call: Call, world: SpotifyWorld, database: Database, history: str
) -> None:
    await bring(call, world)
    _, _, started = await call("POST", SYNC_ALL)
    await desk.end(started["run"]["id"])
    heard = world.plays([1])

    _, _, gone = await call("DELETE", f"{GRANT}?history={history}")
    _, _, again = await call("DELETE", f"{GRANT}?history={history}")

    _, _, listed = await call("GET", "/api/tokens")
    stored = await plays_in(database)
    is_forgotten = history == "forget"
    assert (gone["disconnected"], again["disconnected"]) == (True, False)
    assert gone["plays_forgotten"] == (len(heard) if is_forgotten else 0)
    assert (stored & heard == set()) is is_forgotten
    assert "u1" not in {each["key"] for each in listed["tokens"]}
    assert world.plays([0, 2, 3, 4]) <= stored


async def test_nobody_can_be_disconnected_from_what_is_read_without_a_grant(call: Call) -> None:
    status, _, body = await call("DELETE", "/api/users/u1/tokens/github")

    assert (status, "grant no access" in body["error"]) == (422, True)


async def test_a_user_is_asked_nothing_more_once_disconnected(
    desk: Desk, call: Call, world: SpotifyWorld
) -> None:
    await bring(call, world)
    await call("DELETE", GRANT)

    _, _, started = await call("POST", SYNC_ALL)
    run = await desk.end(started["run"]["id"])

    assert run["seen"] == USERS - 1
