"""A run of the contests kind: every platform is looked at, none's failure hurts another."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fakes.clock import FakeClock
from fakes.heralds import HERALDS, JOB, NEAR, Heralds, heralds

from syncd.errors import BadInput
from syncd.model.pause import Pause, PauseScope
from syncd.model.run import Cause, Outcome, RunOptions
from syncd.sandbox.faults import Fault, cut, html, instead, server_error, too_many
from syncd.store.database import Database
from syncd.telemetry.events import (
    ContestCancelled,
    ContestMoved,
    ContestRestored,
    ContestsSought,
    ContestsUnread,
    ContestTurned,
    PlatformFinished,
)

OTHERS = ("codeforces", "codechef", "atcoder")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def world(database: Database, clock: FakeClock, tmp_path: Path) -> AsyncIterator[Heralds]:
    async with heralds(database, tmp_path, clock) as world:
        yield world


async def test_what_platforms_announce_is_stored_and_a_second_run_changes_nothing(
    world: Heralds,
) -> None:
    first = await world.run()
    second = await world.run()

    assert (first.error, second.error) == ("", "")
    assert (first.outcome, second.outcome) == (Outcome.SUCCEEDED, Outcome.SUCCEEDED)
    assert first.report.created == first.report.seen > 0
    assert second.report.unchanged == second.report.seen == first.report.seen
    assert (first.report.calls, second.report.calls) == (len(HERALDS), len(HERALDS))
    for name in HERALDS:
        stored = await world.stored(name)
        listed = world.standin(name).announced()
        assert set(stored) >= set(listed) & set(world[name].contests_to_come()) != set()
        for number in set(stored) & set(listed):
            told = {key: stored[number][key] for key in listed[number]}
            assert told == listed[number]
        assert (await world.share(first, name)).created == len(stored)
    assert {event.platform for event in world.told(PlatformFinished)} == set(HERALDS)


BAD: dict[str, tuple[Fault, int, str]] = {
    "down": (server_error(), 3, "transient"),
    "not JSON": (instead("<p>"), 3, "schema_error"),
    "cut off": (cut(60), 3, "transient"),
    "a captcha": (html(), 1, "blocked"),
    "too many requests": (too_many(3_600), 1, "rate_limited"),
    "too many for a moment": (too_many(5), 3, "rate_limited"),
}


@pytest.mark.parametrize("how", BAD)
async def test_a_platform_that_fails_costs_three_requests_at_most_and_the_others_nothing(
    world: Heralds, how: str
) -> None:
    fault, calls, word = BAD[how]
    world.standin("leetcode").faults.add(fault)

    run = await world.run()

    assert run.outcome is Outcome.PARTIAL
    assert run.error.startswith("3 of 4 platforms: ")
    assert "leetcode" in run.error
    share = await world.share(run, "leetcode")
    assert (share.failed, share.calls, world.calls("leetcode")) == (1, calls, calls)
    assert word in share.failures
    for name in OTHERS:
        assert (await world.share(run, name)).created == len(await world.stored(name)) > 0
    [told] = world.told(ContestsUnread)
    assert (told.platform, told.outcome) == ("leetcode", word)


@pytest.mark.parametrize("times", [1, 2])
async def test_what_passes_within_three_requests_is_no_failure(world: Heralds, times: int) -> None:
    world.standin("atcoder").faults.add(server_error(), times=times)

    run = await world.run()

    assert (run.outcome, run.error) == (Outcome.SUCCEEDED, "")
    assert world.calls("atcoder") == times + 1


async def test_where_all_platforms_fail_so_does_the_run(world: Heralds) -> None:
    for name in HERALDS:
        world.standin(name).faults.add(server_error())

    run = await world.run()

    assert (run.outcome, run.retryable, run.report.failed) == (Outcome.FAILED, True, 4)
    assert run.error.startswith("0 of 4 platforms: ")


async def test_what_failed_is_tried_again_alone(world: Heralds) -> None:
    world.standin("leetcode").faults.add(server_error(), times=3)
    await world.run()
    work = world.core.scheduler.job(JOB).work
    began_at = world.clock.now()

    at = await work.next_retry(world.core.around, began_at)
    world.cause = Cause.RETRY
    run = await world.run()

    assert at is not None
    assert at - world.clock.now() > timedelta(minutes=14)
    assert (run.outcome, world.calls("leetcode"), world.calls("atcoder")) == ("succeeded", 4, 1)
    assert await work.next_retry(world.core.around, began_at) is None


async def test_a_move_a_cancellation_and_a_return_are_told_each_once(world: Heralds) -> None:
    await world.run()
    calendar = world["codeforces"]
    first, second, *_ = calendar.contests_to_come()
    later = (world.clock.now() + timedelta(days=9)).isoformat()
    calendar.move_contest(first, later)
    calendar.rename_contest(second, "evil \u202e\n\x1b[31m" + "x" * 500)
    await world.run()
    calendar.cancel_contest(second)
    for _ in range(3):
        await world.run()
    calendar.restore_contest(second)
    for _ in range(2):
        await world.run()

    turns = world.told(ContestTurned)
    kinds = [ContestMoved, ContestCancelled, ContestRestored]
    assert [(type(turn), turn.contest) for turn in turns] == [
        *zip(kinds, (first, second, second), strict=True)
    ]
    assert turns[0].previous_starts_at < turns[0].starts_at
    assert turns[1].title.isprintable()
    assert len(turns[1].title) <= 200
    row = (await world.stored("codeforces"))[second]
    assert (row["schedule_version"], row["occasion"]) == (2, "restored")


async def test_a_list_that_looks_like_an_accident_is_a_failure_of_its_platform(
    world: Heralds,
) -> None:
    await world.run()
    before = await world.stored("codeforces")
    for number in world["codeforces"].contests_to_come():
        world["codeforces"].cancel_contest(number)

    runs = [await world.run() for _ in range(3)]

    assert {run.outcome for run in runs} == {Outcome.PARTIAL}
    assert "codeforces listed past contests only" in runs[0].error
    assert "--platform codeforces --full" in runs[0].hint
    rows = await world.stored("codeforces")
    assert {number: row["cancelled_at"] for number, row in rows.items()} == dict.fromkeys(before)
    believed = [await world.run(full=True, platform="codeforces") for _ in range(2)]
    assert [run.outcome for run in believed] == [Outcome.SUCCEEDED, Outcome.SUCCEEDED]
    assert world.told(ContestCancelled) != []


async def test_a_dry_run_asks_and_stores_nothing(world: Heralds) -> None:
    run = await world.run(dry_run=True)

    assert (run.outcome, run.report.calls) == (Outcome.SUCCEEDED, 4)
    assert run.report.created > 0
    for table in ("contests", "contest_changes", "contest_looks"):
        assert await world.fetch(f"SELECT FROM {table}") == []


async def test_a_run_can_be_about_one_platform(world: Heralds) -> None:
    run = await world.run(platform="atcoder")

    assert (run.outcome, run.report.calls) == (Outcome.SUCCEEDED, 1)
    assert [await world.stored(name) == {} for name in HERALDS] == [True, True, True, False]


REFUSED = {
    "users": RunOptions(only=("ada",)),
    "a number": RunOptions(limit=3),
    "another platform": RunOptions(platform="github"),
}


@pytest.mark.parametrize("options", REFUSED.values(), ids=REFUSED)
async def test_a_run_about_anything_else_is_refused(world: Heralds, options: RunOptions) -> None:
    with pytest.raises(BadInput):
        world.core.scheduler.job(JOB).work.check(options)


async def test_nobody_is_asked_and_nothing_told_while_nothing_starts_soon(
    world: Heralds,
) -> None:
    for name in HERALDS:
        world[name].record([[]])
    world["atcoder"].record([[later(world, 25)]])
    await world.run(platform="atcoder")

    run = await world.run(NEAR)

    assert (run.outcome, run.report.seen, run.report.calls) == (Outcome.SUCCEEDED, 0, 0)
    assert [world.calls(name) for name in HERALDS] == [0, 0, 0, 1]
    assert [event.job for event in world.told(ContestsSought)] == [JOB]


async def test_only_platforms_of_whom_something_starts_soon_are_looked_at(world: Heralds) -> None:
    for name in HERALDS:
        world[name].record([[later(world, 23 if name == "leetcode" else 25)]])
    await world.run()
    start = (world.clock.now() + timedelta(hours=5)).isoformat()
    world["leetcode"].move_contest("soon", start)

    run = await world.run(NEAR)

    assert (run.outcome, run.report.calls) == (Outcome.SUCCEEDED, 1)
    assert [turn.platform for turn in world.told(ContestMoved)] == ["leetcode"]


def later(world: Heralds, hours: float) -> dict[str, Any]:
    starts_at = (world.clock.now() + timedelta(hours=hours)).isoformat()
    return {"id": "soon", "name": "Soon", "starts_at": starts_at, "seconds": 7_200}


async def test_a_platform_that_a_person_paused_is_left_alone_and_the_others_are_not(
    world: Heralds,
) -> None:
    now, why = world.clock.now(), "they asked us to"
    pause = Pause(scope=PauseScope.PLATFORM, key="atcoder", why=why, paused_at=now)
    world.core.around.admission.pause(pause)

    run = await world.run()

    assert (run.outcome, world.calls("atcoder")) == (Outcome.PARTIAL, 0)
    assert run.error == "3 of 4 platforms: atcoder is paused by a person: they asked us to"
    assert (await world.share(run, "atcoder")).skipped == 1


async def test_a_run_that_is_gone_on_with_asks_only_who_is_left(world: Heralds) -> None:
    world.standin("leetcode").faults.add(server_error())
    done = await world.run()
    # As a process leaves it that dies before the end of its run is written.
    await world.fetch("DELETE FROM run_platforms WHERE platform = 'codechef'")
    await world.fetch("UPDATE runs SET outcome = 'interrupted', finished_at = NULL")
    [left] = await world.core.around.stores.runs.recover()

    run = await world.go_on(left)

    assert [world.calls(name) for name in HERALDS] == [1, 3, 2, 1]
    assert (run.id, run.outcome, run.report.failed) == (done.id, Outcome.PARTIAL, 1)
    assert (run.error, run.error.startswith("3 of 4 platforms: ")) == (done.error, True)


async def test_clist_tells_of_what_a_platform_does_not_and_comes_after_them(
    database: Database, clock: FakeClock, tmp_path: Path
) -> None:
    names = (*HERALDS, "clist")
    credentials = '[{ name = "ours", token = "key-of-the-test" }]'
    async with heralds(
        database,
        tmp_path,
        clock,
        names=names,
        raw={"clist": {"credentials": credentials}},
        second_source="clist",
    ) as world:
        world.standin("atcoder").faults.add(server_error())

        run = await world.run()

        assert run.error.startswith("4 of 5 platforms: ")
        assert {row["source"] for row in (await world.stored("atcoder")).values()} == {"clist"}
        assert "clist" not in {
            row["source"] for row in (await world.stored("codeforces")).values() if row["kind"]
        }
        world.standin("atcoder").faults.clear()
        assert (await world.run()).outcome is Outcome.SUCCEEDED
        rows = await world.stored("atcoder")
        assert {row["source"] for row in rows.values()} == {"atcoder"}
