"""What every platform that announces contests makes of the list of its service."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from fakes.clock import FakeClock
from fakes.platform_worlds import FOUND, PLATFORMS, STANDINS, TOKEN, World

from syncd.errors import BadPayload, CredentialsRejected, PlatformError, RunError
from syncd.model.contest import ContestList
from syncd.platforms.base import Platform
from syncd.sandbox.faults import FAULTS, Fault, html, instead, server_error

ANNOUNCING = [name for name, platform in PLATFORMS.items() if platform.announces_contests]
# clist has a calendar for each of the others.
OF_ONE = [name for name in ANNOUNCING if name in FOUND]
EVERY = pytest.mark.parametrize("name", ANNOUNCING, indirect=True)


def told(contests: ContestList) -> dict[str, dict[str, Any]]:
    """Return what was read in the words of the stand-in."""
    fields = ("name", "starts_at", "ends_at", "duration_seconds")
    return {
        contest.external_id: {field: getattr(contest, field) for field in fields}
        for contest in contests.contests
    }


def test_platform_and_its_service_agree_on_who_announces_contests() -> None:
    assert {*ANNOUNCING} == {name for name in STANDINS if STANDINS[name].announces_contests}


@pytest.mark.parametrize(
    "name", [name for name in PLATFORMS if name not in ANNOUNCING], indirect=True
)
async def test_platform_without_contests_says_so(platform: Platform) -> None:
    with pytest.raises(RunError, match="announces no contests"):
        await platform.fetch_contests()


@EVERY
async def test_what_the_service_lists_is_what_is_read_in_one_request(
    platform: Platform, clock: FakeClock, world: World
) -> None:
    found = await clock.run(platform.fetch_contests())

    assert told(found) == world.standin.announced()
    assert (found.source, found.unread) == (world.name, [])
    assert {contest.platform for contest in found.contests} <= {*PLATFORMS}
    assert any(contest.starts_at > clock.now() for contest in found.contests)
    assert world.standin.counters.requests == 1


@EVERY
async def test_contest_that_is_changed_is_read_as_it_is_now_under_the_same_id(
    platform: Platform, clock: FakeClock, world: World
) -> None:
    changes = world.standin.changes()
    first = changes["contests_to_come"]()[0]
    later = clock.now() + timedelta(hours=5)

    changes["move_contest"](first, later.isoformat())
    changes["rename_contest"](first, "Another <b>name</b> & more")
    changes["lengthen_contest"](first, 7_260)
    found = await clock.run(platform.fetch_contests())

    assert told(found)[first] == {
        "name": "Another <b>name</b> & more",
        "starts_at": later,
        "ends_at": later + timedelta(seconds=7_260),
        "duration_seconds": 7_260,
    }


@EVERY
async def test_contest_that_is_cancelled_is_gone_until_it_is_back(
    platform: Platform, clock: FakeClock, world: World
) -> None:
    changes = world.standin.changes()
    first = changes["contests_to_come"]()[0]

    changes["cancel_contest"](first)
    without = await clock.run(platform.fetch_contests())
    changes["restore_contest"](first)
    again = await clock.run(platform.fetch_contests())

    assert first not in told(without)
    assert told(again) == world.standin.announced()
    assert first in told(again)


@EVERY
async def test_row_that_cannot_be_read_is_told_and_the_others_are_kept(
    platform: Platform, clock: FakeClock, world: World
) -> None:
    changes = world.standin.changes()
    first = changes["contests_to_come"]()[0]

    changes["rename_contest"](first, "")
    found = await clock.run(platform.fetch_contests())

    others = {key: row for key, row in world.standin.announced().items() if key != first}
    assert told(found) == others
    [sentence] = found.unread
    assert sentence.startswith(f"'{world.name}': ")
    assert sentence.endswith(" is missing")


@EVERY
async def test_poisoned_name_is_kept_but_for_what_cannot_be_stored(
    platform: Platform, clock: FakeClock, world: World
) -> None:
    changes = world.standin.changes()
    first = changes["contests_to_come"]()[0]

    changes["rename_contest"](first, f"one\ntwo\u2028 \u202e<script>\0 \ud800{'x' * 10_000}")
    found = await clock.run(platform.fetch_contests())

    name = told(found)[first]["name"]
    assert name == f"one\ntwo\u2028 \u202e<script>\ufffd \ufffd{'x' * 10_000}"


@EVERY
async def test_contest_without_a_start_is_not_told(
    platform: Platform, clock: FakeClock, world: World
) -> None:
    changes = world.standin.changes()
    first = changes["contests_to_come"]()[0]

    changes["move_contest"](first, None)
    found = await clock.run(platform.fetch_contests())

    assert first not in told(found)
    assert (told(found), found.unread) == (world.standin.announced(), [])


@pytest.mark.parametrize("name", OF_ONE, indirect=True)
async def test_list_of_nothing_is_empty(platform: Platform, clock: FakeClock, world: World) -> None:
    world.standin.changes()["record"]([[]])

    found = await clock.run(platform.fetch_contests())

    assert (found.contests, found.unread) == ([], [])


@EVERY
async def test_contest_keeps_what_is_compared_while_only_time_passes(
    platform: Platform, clock: FakeClock
) -> None:
    first = await clock.run(platform.fetch_contests())
    await clock.run(clock.sleep(60))
    second = await clock.run(platform.fetch_contests())

    assert second.contests == first.contests


@EVERY
@pytest.mark.parametrize(
    "fault",
    [
        html(),
        html(200),
        server_error(503),
        instead(""),
        instead("null"),
        instead("{}"),
        instead("[]"),
        instead('{"status":"OK","status":"success","result":[{}],"data":{}}'),
        FAULTS["cut"](40),
        instead("Too Many Requests", status=429, content_type="text/plain"),
    ],
    ids=["challenge", "challenge with 200", "down", "nothing", "null", "object", "list", "no rows",
         "cut", "too many"],
)  # fmt: skip
async def test_answer_that_is_no_list_is_told_after_one_request(
    platform: Platform, clock: FakeClock, world: World, fault: Fault
) -> None:
    world.standin.faults.add(fault)

    with pytest.raises((BadPayload, PlatformError)):
        await clock.run(platform.fetch_contests())

    assert world.standin.counters.requests == 1


@EVERY
async def test_service_refuses_nobody_who_asks_for_contests_as_the_defaults_say(
    platform: Platform, clock: FakeClock, world: World
) -> None:
    for _ in range(12):
        await clock.run(platform.fetch_contests())

    assert world.standin.counters.refused == {}


@pytest.mark.parametrize("name", ["clist"], indirect=True)
async def test_source_that_answers_who_has_a_key_is_not_asked_without_one(
    clock: FakeClock, world: World
) -> None:
    async with world.connected(clock, credentials=[]) as platform:
        with pytest.raises(CredentialsRejected, match="only who has a key") as refused:
            await clock.run(platform.fetch_contests())

        assert platform.can_announce is False
    assert "credentials of [platforms.clist]" in (refused.value.hint or "")
    assert world.standin.counters.requests == 0


@pytest.mark.parametrize("name", ["clist"], indirect=True)
async def test_source_that_refuses_the_key_is_asked_once(
    platform: Platform, clock: FakeClock, world: World
) -> None:
    world.standin.changes()["revoke"](TOKEN)

    with pytest.raises(CredentialsRejected):
        await clock.run(platform.fetch_contests())

    assert (platform.can_announce, world.standin.counters.requests) == (True, 1)
