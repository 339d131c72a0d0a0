"""A platform that is asked about many accounts at once: a whole run over real HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from fakes.choir import BATCH, Hall, choir_file
from fakes.clock import FakeClock
from fakes.syncing import Syncing, syncing

from syncd.model.run import Outcome
from syncd.sandbox.server import serve
from syncd.store.database import Database
from syncd.telemetry.events import ItemFailed, PlatformRecovered, SchemaChanged

USERS = 25


@pytest.fixture
def hall() -> Hall:
    return Hall(USERS)


@pytest.fixture
async def world(database: Database, tmp_path: Path, hall: Hall) -> AsyncIterator[Syncing]:
    with choir_file(tmp_path):
        async with (
            serve(hall) as url,
            syncing(
                database, tmp_path, url, clock=FakeClock(), platform="choir", token=""
            ) as world,
        ):
            await world.link(hall.handles())
            yield world


async def test_so_many_accounts_cost_one_request(world: Syncing, hall: Hall) -> None:
    first = await world.run()
    hall.ratings["s007"] = 2_000
    second = await world.run()

    assert (first.outcome, first.report.created, first.report.calls) == ("succeeded", USERS, 3)
    assert sorted(map(len, hall.asked[:3])) == [5, BATCH, BATCH]
    assert (second.report.updated, second.report.unchanged) == (1, USERS - 1)
    assert (await world.account("u007"))["rating"] == 2_000
    assert {hall.asked_for(name) for name in hall.ratings} == {2}


async def test_account_that_is_not_there_costs_the_others_nothing(
    world: Syncing, hall: Hall
) -> None:
    del hall.ratings["s003"], hall.ratings["s004"]

    run = await world.run()

    assert (run.report.created, run.report.failures) == (USERS - 2, {"not_found": 2})
    assert run.report.calls == 5


@pytest.mark.parametrize("kind", ["odd", "silent"])
async def test_odd_answer_about_one_is_that_ones_failure(
    world: Syncing, hall: Hall, kind: str
) -> None:
    getattr(hall, kind).add("s012")

    run = await world.run()

    assert (run.report.created, run.report.failures) == (USERS - 1, {"schema_error": 1})
    assert (run.report.calls, hall.asked_for("s012")) == (3, 1)
    assert [event.account for event in world.events if isinstance(event, ItemFailed)] == ["s012"]


async def test_what_fails_for_all_is_asked_in_halves_until_it_is_clear_whose_failure_it_is(
    world: Syncing, hall: Hall
) -> None:
    hall.poison.add("s012")

    run = await world.run()
    again = await world.run()

    assert (run.report.created, run.report.failures) == (USERS - 1, {"transient": 1})
    assert (again.report.unchanged, again.report.failed) == (USERS - 1, 1)
    assert (await world.account("u012"))["raw"] is None
    assert run.report.calls < 3 * USERS


async def test_withdrawn_account_is_left_out_before_anybody_is_asked(
    world: Syncing, hall: Hall
) -> None:
    await world.run()
    hall.asked.clear()
    hall.answers = 0
    running = asyncio.create_task(world.run())
    await hall.reached.wait()
    waiting = next(name for name in hall.ratings if name not in hall.asked[0])
    await world.withdraw(f"u{waiting[1:]}")
    hall.release()

    run = await running

    assert (run.report.unchanged, run.report.skipped) == (USERS - 1, 1)
    assert (hall.asked_for(waiting), len(hall.asked)) == (0, 3)
    assert sum(map(len, hall.asked)) == USERS - 1


async def test_limit_and_only_count_accounts_and_not_questions(world: Syncing, hall: Hall) -> None:
    limited = await world.run(limit=13)
    asked = [len(names) for names in hall.asked]
    hall.asked.clear()
    only = await world.run("u002", "u020")

    assert (limited.report.seen, asked) == (13, [BATCH, 3])
    assert (only.report.seen, [set(names) for names in hall.asked]) == (2, [{"s002", "s020"}])


async def test_dry_run_asks_as_a_run_would_and_writes_nothing(world: Syncing, hall: Hall) -> None:
    run = await world.run(dry_run=True)

    assert (run.report.created, run.report.calls) == (USERS, 3)
    assert await world.count("profiles") == 0


async def test_captcha_ends_the_pass_at_the_first_answer_and_touches_nobody(
    world: Syncing, hall: Hall
) -> None:
    hall.instead = (403, "text/html", "<html>Just a moment...</html>")

    blocked = await world.run()
    soon = await world.run()
    asked = len(hall.asked)
    hall.instead = None
    await world.pass_time(minutes=11)
    healed = await world.run()

    assert (blocked.outcome, blocked.report.seen) == (Outcome.FAILED, 0)
    assert "Just a moment" in blocked.error
    assert (soon.outcome, asked) == (Outcome.FAILED, 1)
    assert (healed.outcome, healed.report.created) == (Outcome.SUCCEEDED, USERS)
    assert await world.count("dead_letters") == await world.count("item_outcomes") - USERS == 0


async def test_odd_answers_with_good_ones_between_are_those_accounts_failures(
    world: Syncing, hall: Hall
) -> None:
    hall.odd |= {name for name in hall.ratings if int(name[1:]) % 2}

    run = await world.run()

    assert run.outcome is Outcome.PARTIAL
    assert (run.report.created, run.report.failures) == (13, {"schema_error": 12})


@pytest.mark.parametrize("text", ["null", "[]", "{}"])
async def test_platform_that_changed_its_answers_ends_the_pass_and_blames_few(
    world: Syncing, hall: Hall, text: str
) -> None:
    await world.run()
    hall.ratings |= {f"s{number:03}": 1 for number in range(USERS, 60)}
    await world.link(hall.handles())
    hall.instead = (200, "application/json", text)

    changed = await world.run()
    told = [event for event in world.events if isinstance(event, SchemaChanged)]
    hall.instead = None
    healed = await world.run()

    assert changed.outcome is Outcome.FAILED
    assert "choir changed its answers, 10 in a row" in changed.error
    assert changed.report.failed <= 10
    assert len(told) == 1
    assert healed.report.failed == 0
    assert await world.count("profiles") == 60
    assert (await world.account("u007"))["rating"] == 1_007
    assert [event for event in world.events if isinstance(event, PlatformRecovered)]
