"""Every recorded answer of GitHub, what it must come to, and the whole way to there.

The replay serves the files through `base_url`; platform, job, store and PostgreSQL are real. A new
file in INDEX.json fails until it has its line in `fakes.github_expected`.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from random import Random
from urllib.parse import quote, unquote, urlsplit

import pytest
from fakes.clock import START, FakeClock
from fakes.github_expected import (
    EXPECTED,
    GOOD_PATH,
    Answered,
    Expectation,
    Marked,
    Refused,
    Stored,
)
from fakes.payloads import Recorded, find_recorded, load_index, payload_dir
from fakes.replay import Replay, replay
from fakes.syncing import Syncing, syncing

from syncd.config.models import PlatformSettings
from syncd.errors import CredentialsRejected, SyncdError
from syncd.model.account import Account, AccountId
from syncd.model.run import Outcome
from syncd.outbound.request import Request
from syncd.platforms.github import GitHub
from syncd.store.database import Database
from syncd.telemetry.bus import Bus
from syncd.telemetry.events import PlatformRecovered, PlatformThrottled

RecordProperty = Callable[[str, object], None]

KNOWN = load_index("github")


def cases(kind: type[Expectation]) -> list[tuple[Recorded, Expectation]]:
    return [
        (recorded, EXPECTED[recorded.file])
        for recorded in KNOWN
        if isinstance(EXPECTED.get(recorded.file), kind)
    ]


def name(value: object) -> str | None:
    return value.file if isinstance(value, Recorded) else ""


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def server() -> AsyncIterator[Replay]:
    async with replay("github") as server:
        yield server
        assert server.unanswered == []


@pytest.fixture
async def world(
    database: Database, tmp_path: Path, server: Replay, clock: FakeClock
) -> AsyncIterator[Syncing]:
    async with syncing(database, tmp_path, server.base_url, clock=clock, sweep=False) as world:
        yield world


@pytest.fixture
async def platform(server: Replay, clock: FakeClock, bus: Bus) -> AsyncIterator[GitHub]:
    given = {
        "base_url": server.base_url,
        "allow_private": True,
        "credentials": [{"token": "ghp_one"}],
    }
    settings = PlatformSettings.model_validate({**dict(GitHub.defaults), **given})
    [platform] = GitHub.connect("github", settings, clock=clock, bus=bus, random=Random(1))
    async with platform.client:
        yield platform


@pytest.fixture
def bus() -> Bus:
    return Bus()


def test_every_recorded_file_has_its_expectation() -> None:
    if not KNOWN:
        pytest.skip(f"no recorded answers in {payload_dir()}")

    files = {
        f"github/{path.name}"
        for path in (payload_dir() / "github").iterdir()
        if path.name != "SOURCES.md"
    }

    assert {recorded.file for recorded in KNOWN} == files == EXPECTED.keys()


@pytest.mark.parametrize(("recorded", "expected"), cases(Stored), ids=name)
async def test_recorded_user_becomes_its_row(
    recorded: Recorded,
    expected: Stored,
    world: Syncing,
    server: Replay,
    record_property: RecordProperty,
) -> None:
    linked_as = expected.handle.upper()
    server.answer_next(f"/users/{quote(linked_as, safe='')}", recorded.file)
    await world.link({"somebody": linked_as})

    run = await world.run()

    row = await world.account("somebody")
    assert (run.outcome, run.report.created) == (Outcome.SUCCEEDED, 1)
    assert {column: row[column] for column in expected.columns} == expected.columns
    assert (row["rating"], row["solved"]) == (None, None)
    assert (row["handle"], row["external_id"]) == (expected.handle, expected.external_id)
    assert row["raw"] == recorded.json()
    assert (row["etag"], row["state"]) == (expected.etag, "active")
    record_property("payload", recorded.file)


async def test_user_known_by_id_is_asked_for_by_id_and_with_the_etag(
    world: Syncing, server: Replay
) -> None:
    recorded = find_recorded("github/user_by_id_583231_octocat_200_2020.json")
    server.answer_next("/users/octocat", recorded.file)
    await world.link({"somebody": "octocat"})
    await world.run()

    run = await world.run()

    assert run.report.unchanged == 1
    assert [seen.path for seen in server.requests] == ["/users/octocat", "/user/583231"]
    assert server.requests[1].headers["If-None-Match"] == recorded.header("ETag")


@pytest.mark.parametrize(("recorded", "expected"), cases(Marked), ids=name)
async def test_recorded_answer_about_one_account_marks_it_and_stores_nothing(
    recorded: Recorded,
    expected: Marked,
    world: Syncing,
    server: Replay,
    record_property: RecordProperty,
) -> None:
    server.answer_next(f"/users/{expected.handle}", recorded.file)
    await world.link({"good": "yurinnick", "somebody": expected.handle})

    run = await world.run()

    row = await world.account("somebody")
    assert (run.report.created, run.report.failures) == (1, {expected.outcome: 1})
    assert (row["outcome"], row["error"]) == (expected.outcome, expected.reason)
    assert (row["state"], row["raw"]) == (expected.state, None)
    record_property("payload", recorded.file)


async def test_recorded_answer_about_somebody_else_is_refused(
    world: Syncing, server: Replay
) -> None:
    server.answer_next(GOOD_PATH, find_recorded("github/user_sigmavirus24_200_2014.json").file)
    await world.link({"somebody": "yurinnick"})

    await world.run()

    row = await world.account("somebody")
    assert (row["outcome"], row["raw"]) == ("schema_error", None)
    assert row["error"] == "'yurinnick': github answered about 'sigmavirus24'"


@pytest.mark.parametrize(("recorded", "expected"), cases(Refused), ids=name)
async def test_recorded_refusal_is_a_typed_error_and_pauses_the_gate(
    recorded: Recorded,
    expected: Refused,
    platform: GitHub,
    server: Replay,
    clock: FakeClock,
    bus: Bus,
    record_property: RecordProperty,
) -> None:
    server.answer_next(GOOD_PATH, recorded.file, times=10)
    pauses: list[tuple[float, str]] = []
    account = Account(id=AccountId(1), user_key="somebody", platform="github", handle="yurinnick")

    def note(event: object) -> None:
        if isinstance(event, PlatformThrottled):
            pauses.append(((event.until - START).total_seconds(), event.cause))

    with bus.subscribed(note), pytest.raises(SyncdError) as raised:
        await clock.run(platform.fetch(account))

    assert type(raised.value) is expected.error
    assert raised.value.outcome == expected.outcome
    assert platform.usage().calls == expected.calls
    wanted = [] if expected.pause_seconds is None else [expected.pause_seconds]
    assert [seconds for seconds, _ in pauses] == pytest.approx(wanted, abs=1)
    assert [cause for _, cause in pauses] == [expected.cause] * len(wanted)
    record_property("payload", recorded.file)


@pytest.mark.parametrize(
    ("recorded", "expected"),
    [case for case in cases(Refused) if case[1].error is not CredentialsRejected],
    ids=name,
)
async def test_profile_is_stored_once_the_refusal_has_passed(
    recorded: Recorded, expected: Refused, world: Syncing, server: Replay, clock: FakeClock
) -> None:
    server.answer_next(GOOD_PATH, recorded.file)
    await world.link({"somebody": "yurinnick"})

    run = await world.run()

    row = await world.account("somebody")
    recovered = [event for event in world.events if isinstance(event, PlatformRecovered)]
    assert (run.outcome, run.report.created, run.report.calls) == (Outcome.SUCCEEDED, 1, 2)
    assert (row["external_id"], row["fail_streak"]) == ("2941035", 0)
    assert len(recovered) == (expected.pause_seconds is not None)
    assert clock.now() - START >= timedelta(seconds=(expected.pause_seconds or 1) - 1)


async def test_rejected_credential_ends_the_run_and_marks_nobody(
    world: Syncing, server: Replay
) -> None:
    recorded = find_recorded("github/error_401_bad_credentials_2012.json")
    await world.link({"somebody": "yurinnick"})
    server.answer_next(GOOD_PATH, recorded.file)

    run = await world.run()

    row = await world.account("somebody")
    assert (run.outcome, run.report.seen) == (Outcome.FAILED, 0)
    assert (row["state"], row["outcome"], row["fail_streak"]) == ("active", "", 0)


@pytest.mark.parametrize(("recorded", "expected"), cases(Answered), ids=name)
async def test_recorded_answer_of_another_endpoint_passes_the_outbound_layer(
    recorded: Recorded,
    expected: Answered,
    platform: GitHub,
    server: Replay,
    clock: FakeClock,
    record_property: RecordProperty,
) -> None:
    server.answer_next(recorded.path, recorded.file)
    server.answer_next("/repositories/112116543", "conditional_1_repo_200_2013.json")

    response = await clock.run(platform.client.request(as_recorded(recorded)))

    gate = platform.client.gate
    assert response.status == expected.status
    assert expected.data.items() <= (response.data or {}).items()
    assert (gate.calls, gate.saved) == (expected.calls, expected.saved)
    assert gate.quota.left() == expected.quota_left
    record_property("payload", recorded.file)


async def test_recorded_triple_is_read_kept_and_read_again(
    platform: GitHub, server: Replay, clock: FakeClock
) -> None:
    unchanged = find_recorded("github/conditional_2_304_empty.txt")
    changed = find_recorded("github/conditional_3_repo_200_changed_2013.json")
    plain = Request(segments=("repos", "akfish", "PyGithub"))
    gate = platform.client.gate

    first = await clock.run(platform.client.request(plain))
    await clock.advance(2)  # as far apart as they were recorded
    second = await clock.run(platform.client.request(as_recorded(unchanged)))
    await clock.advance(111)
    left = gate.quota.left()
    server.answer_next(changed.path, changed.file)
    third = await clock.run(platform.client.request(as_recorded(changed)))

    assert [answer.status for answer in (first, second, third)] == [200, 304, 200]
    assert first.etag == second.etag == unchanged.request["If-None-Match"] != third.etag
    assert (left, gate.quota.left()) == (4988, 4987)
    assert (gate.calls, gate.saved) == (3, 1)


def as_recorded(recorded: Recorded) -> Request:
    """The request that was recorded with the answer."""
    headers = {name: value for name, value in recorded.request.items() if name != "body"}
    path = urlsplit(recorded.path).path
    return Request(
        segments=tuple(unquote(part) for part in path.strip("/").split("/")),
        method=recorded.method,
        headers=headers,
        json=json.loads(recorded.request["body"]) if "body" in recorded.request else None,
    )
