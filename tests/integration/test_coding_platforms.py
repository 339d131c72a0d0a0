"""The whole way of every platform that is asked without a credential: stand-in to PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from fakes.clock import FakeClock
from fakes.platform_worlds import FOUND, STANDINS, WITH_CREDENTIALS
from fakes.syncing import Syncing, syncing

from syncd.model.run import Outcome
from syncd.sandbox import faults
from syncd.sandbox.base import StandIn
from syncd.sandbox.players import NOBODY
from syncd.sandbox.server import serve
from syncd.store.database import Database

PEOPLE = range(12)
NAMES = [name for name in FOUND if name not in WITH_CREDENTIALS]
STORED = ("external_id", "handle", "rating", "solved")


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def standin(name: str, clock: FakeClock) -> StandIn:
    return STANDINS[name].make(7, 20, clock=clock)


@pytest.fixture
async def world(
    name: str, database: Database, tmp_path: Path, standin: StandIn, clock: FakeClock
) -> AsyncIterator[Syncing]:
    rate = FOUND[name].defaults.rate
    assert rate is not None
    given: dict[str, Any] = {
        "clock": clock,
        "platform": name,
        "token": "",
        "rate": f"{rate.per_second * 60:g}/min",
    }
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(serve(standin))
        given["urls"] = standin.addresses(url).get("urls")
        yield await stack.enter_async_context(syncing(database, tmp_path, url, **given))


def everybody(standin: StandIn) -> dict[str, str]:
    return {f"u{index}": standin.handle_of(index) for index in PEOPLE}


async def differences(world: Syncing, standin: StandIn) -> Mapping[str, Any]:
    """Return what is stored otherwise than the service knows it."""
    wrong = {}
    for index in PEOPLE:
        row, true = await world.account(f"u{index}"), standin.expected(index)
        told = {key: row[key] for key in STORED}
        if told != {key: true[key] for key in STORED}:
            wrong[f"u{index}"] = (told, true)
    return wrong


async def test_profiles_are_stored_as_the_service_knows_them(
    world: Syncing, standin: StandIn
) -> None:
    await world.link(everybody(standin))

    first = await world.run()
    standin.changes()["change"](3)
    second = await world.run()

    assert (first.outcome, first.report.created) == (Outcome.SUCCEEDED, len(PEOPLE))
    assert (second.report.updated, second.report.unchanged) == (1, len(PEOPLE) - 1)
    assert await differences(world, standin) == {}
    assert standin.counters.refused == {}


async def test_who_is_not_there_costs_nobody_else_anything(
    world: Syncing, standin: StandIn
) -> None:
    await world.link({**everybody(standin), "lost": NOBODY})

    run = await world.run()

    lost = await world.account("lost")
    assert (run.outcome, run.report.failures) == (Outcome.PARTIAL, {"not_found": 1})
    assert (lost["outcome"], lost["raw"], lost["rating"]) == ("not_found", None, None)
    assert await differences(world, standin) == {}


async def test_who_took_another_handle_is_followed_where_the_service_tells_it(
    world: Syncing, standin: StandIn
) -> None:
    await world.link(everybody(standin))
    await world.run()
    before = standin.handle_of(3)
    standin.changes()["rename"](3, "newname77")

    run = await world.run()

    row = await world.account("u3")
    if standin.follows_renames:
        assert (row["handle"], run.report.failed) == ("newname77", 0)
    else:
        assert (row["handle"], row["outcome"]) == (before, "not_found")
        assert row["raw"] is not None


async def test_block_leaves_what_is_stored_and_nobody_is_marked(
    world: Syncing, standin: StandIn
) -> None:
    await world.link(everybody(standin))
    await world.run()
    before = [await world.account(f"u{index}") for index in PEOPLE]
    standin.faults.add(faults.html())

    run = await world.run()

    after = [await world.account(f"u{index}") for index in PEOPLE]
    assert run.report.updated == 0
    assert [row["raw"] for row in after] == [row["raw"] for row in before]
    assert {row["state"] for row in after} == {"active"}


@pytest.mark.parametrize("name", ["codechef", "hackerrank", "leetcode"], indirect=True)
@pytest.mark.parametrize(
    "kept",
    [faults.html(), faults.instead('{"detail":"suspended"}', status=403)],
    ids=["captcha", "words"],
)
async def test_one_account_that_the_site_keeps_from_us_does_not_keep_the_others_from_their_turn(
    world: Syncing, standin: StandIn, kept: faults.Fault
) -> None:
    handle = standin.handle_of(0)

    def keep(answer: faults.Answer) -> faults.Answer:
        is_theirs = handle.lower().encode() in answer.body.lower()
        return kept(answer) if is_theirs else answer

    await world.link(everybody(standin))
    standin.faults.add(keep)

    for _ in range(4):
        await world.run()
        await world.pass_time(hours=1)

    rows = {user: await world.account(user) for user in everybody(standin)}
    assert [user for user, row in rows.items() if row["raw"] is None] == ["u0"]
    assert rows["u0"]["state"] == "active"


@pytest.mark.parametrize("body", ["null", "[]", "{}", ""])
async def test_empty_answer_takes_nothing_away(world: Syncing, standin: StandIn, body: str) -> None:
    await world.link({"u3": standin.handle_of(3)})
    await world.run()
    before = await world.account("u3")
    standin.faults.add(faults.instead(body))

    run = await world.run()

    after = await world.account("u3")
    assert run.report.updated == 0
    assert [after[key] for key in ("raw", *STORED)] == [before[key] for key in ("raw", *STORED)]
    assert after["outcome"] == "schema_error"
