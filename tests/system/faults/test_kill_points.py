"""Faults 1-5: kill -9 at every commit point of a run, and replies that get lost at them."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fakes.daemon_config import JOB
from fakes.perils import (
    ABOUT_JOB,
    BEGIN,
    CLAIM_FIRE,
    COMMIT,
    CREATE,
    EVERYBODY,
    FINISH,
    REPORT,
    Peril,
    Perils,
    about,
)
from fakes.postgres_proxy import Point, When
from fakes.waiting import until

EVERY = timedelta(seconds=8)
FIRING = {f"jobs.{JOB}": {"every": f"{EVERY.seconds}s"}}

FIRES = {
    "before the ledger knows it": Point(sql=CLAIM_FIRE, holding=ABOUT_JOB),
    "when the ledger knows it": Point(sql=CLAIM_FIRE, holding=ABOUT_JOB, when=When.COMMITTED),
}


async def rows_of(peril: Peril) -> list[Any]:
    return await peril.world.daemon.fetch(
        "SELECT * FROM runs WHERE job = $1 ORDER BY fire_time", JOB
    )


async def ran(peril: Peril, struck_at: datetime) -> None:
    """The fire that was struck has one row and ran; nobody was asked for twice because of it."""
    run = await peril.world.daemon.finished((await peril.newest())["id"])
    answer = await peril.world.daemon.api("POST", f"/api/jobs/{JOB}/pause", {})
    rows = await rows_of(peril)
    await peril.check(run)

    assert answer.status == 200
    assert struck_at - rows[0]["fire_time"] < EVERY
    assert len({row["fire_time"] for row in rows}) == len(rows)
    assert run["cause"] in {"schedule", "catch_up"}
    passes = sum(row["outcome"] == "succeeded" for row in rows)
    assert set(peril.fetches().values()) == {passes}


@pytest.mark.parametrize("point", FIRES)
async def test_fire_at_which_the_daemon_was_killed_runs_once_after_the_restart(
    perils: Perils, point: str
) -> None:
    async with perils(FIRING) as peril:
        await peril.dies_at(FIRES[point], peril.world.link)
        struck_at = datetime.now(UTC)
        known = await rows_of(peril)
        await peril.world.daemon.start()

        await ran(peril, struck_at)

    assert len(known) == (point == "when the ledger knows it")


async def test_fire_whose_claim_got_no_reply_runs_once(perils: Perils) -> None:
    async with perils(FIRING) as peril:
        point = Point(sql=CLAIM_FIRE, holding=ABOUT_JOB, when=When.COMMITTED)
        await peril.loses_reply_at(point, peril.world.link)

        await ran(peril, datetime.now(UTC))


async def test_run_killed_before_its_first_fetch_starts_again_and_is_one_row(
    perils: Perils,
) -> None:
    async with perils() as peril:
        await peril.world.link()
        for point in (
            Point(sql=CREATE, holding=ABOUT_JOB, when=When.COMMITTED),
            Point(sql=BEGIN),
            Point(sql=BEGIN, when=When.COMMITTED),
        ):
            peril.world.everybody_changes()
            before = await rows_of(peril)
            await peril.dies_at(point, peril.trigger)
            left = await peril.newest()

            run, asked = await peril.goes_on()

            await peril.check(run)
            # A run that had begun was interrupted; one that had not just starts.
            assert run["resumed"] == (left["outcome"] == "running")
            assert len(await rows_of(peril)) == len(before) + 1
            assert set(asked.values()) == {1}


@pytest.mark.parametrize("batch", [1, 3])
async def test_batch_killed_before_its_commit_is_fetched_again_and_stored_once(
    perils: Perils, batch: int
) -> None:
    async with perils() as peril:
        await peril.world.link()
        await peril.dies_at(Point(sql=COMMIT, within=REPORT, nth=batch), peril.trigger)
        committed = await peril.committed((await peril.newest())["id"])

        run, asked = await peril.goes_on()

        await peril.check(run)

    assert len(committed) < EVERYBODY
    assert {asked[place] for place in committed} <= {0}
    assert {times for place, times in asked.items() if place not in committed} == {1}
    assert run["resumed"] == 1


async def test_batch_killed_inside_its_commit_is_neither_fetched_nor_counted_again(
    perils: Perils,
) -> None:
    async with perils() as peril:
        await peril.world.link()
        await peril.dies_at(Point(sql=REPORT, when=When.COMMITTED, nth=2), peril.trigger)
        left = await peril.newest()
        committed = await peril.committed(left["id"])

        run, asked = await peril.goes_on()

        await peril.check(run)

    assert left["seen"] == len(committed) > 0
    assert {asked[place] for place in committed} == {0}
    assert {times for place, times in asked.items() if place not in committed} == {1}
    assert run["resumed"] == 1


async def test_commits_of_a_run_that_got_no_reply_are_read_back_and_counted_once(
    perils: Perils,
) -> None:
    async with perils() as peril:
        await peril.world.link()
        for point in (
            Point(sql=BEGIN, when=When.COMMITTED),
            Point(sql=REPORT, when=When.COMMITTED, nth=1),
            Point(sql=REPORT, when=When.COMMITTED, nth=4),
        ):
            peril.world.everybody_changes()
            await peril.loses_reply_at(point, peril.trigger)

            run = await peril.world.daemon.finished((await peril.newest())["id"])

            await peril.check(run)
            assert run["resumed"] == 0


async def test_run_whose_end_got_no_reply_has_ended_once(perils: Perils) -> None:
    async with perils() as peril:
        await peril.world.link()
        run_id = await peril.world.daemon.trigger()
        point = Point(sql=FINISH, holding=about(run_id), when=When.COMMITTED)
        await peril.loses_reply_at(point, nothing)

        told = await peril.world.daemon.told("run.finished", run_id=run_id)

        await peril.check(await peril.world.daemon.finished(run_id))

    assert told["outcome"] == "succeeded"
    assert len(peril.world.daemon.said("run.finished", run_id=run_id)) == 1


async def test_trigger_that_got_no_reply_leaves_no_row_that_nobody_runs(perils: Perils) -> None:
    async with perils() as peril:
        await peril.world.link()
        point = Point(sql=CREATE, holding=ABOUT_JOB, when=When.COMMITTED)

        await peril.loses_reply_at(point, peril.trigger)

        async def all_ended() -> bool:
            return all(row["finished_at"] is not None for row in await rows_of(peril))

        await until(all_ended, what="an end of every row", seconds=5)
        await peril.check(await peril.world.daemon.finished((await peril.newest())["id"]))


async def test_run_killed_after_its_last_item_is_closed_and_asks_for_nobody(
    perils: Perils,
) -> None:
    async with perils() as peril:
        await peril.world.link()
        for when, resumed in ((When.BEFORE, 1), (When.COMMITTED, 0)):
            peril.world.everybody_changes()
            run_id = await peril.world.daemon.trigger()
            await peril.dies_at(Point(sql=FINISH, holding=about(run_id), when=when), nothing)
            committed = await peril.committed(run_id)

            run, asked = await peril.goes_on()

            await peril.check(run)
            assert len(committed) == EVERYBODY
            assert set(asked.values()) == {0}
            assert run["resumed"] == resumed


async def nothing() -> None:
    """Only wait."""


async def kills(perils: Perils, seed: int, times: int) -> None:
    """Kill at statements drawn by a seed, whatever they are about; then everything is right."""
    drawn = random.Random(seed)
    async with perils() as peril:
        await peril.world.link()
        await peril.trigger()
        for _ in range(times):
            point = Point(when=drawn.choice(list(When)), nth=drawn.randint(1, 60))
            await peril.dies_at(point, nothing)
            await peril.world.daemon.start(ready=False)
        run = await peril.world.daemon.finished((await peril.newest())["id"])

        await peril.check(run)
        stored = peril.fetches().values()

    assert run["resumed"] <= times
    assert min(stored) >= 1
    # What one kill can cost: the pages that both platforms had under way.
    assert sum(stored) <= EVERYBODY * (1 + times)


@pytest.mark.parametrize("seed", [1, 2])
async def test_kills_at_random_statements_lose_and_double_nothing(
    perils: Perils, seed: int
) -> None:
    await kills(perils, seed, times=2)


@pytest.mark.full
@pytest.mark.parametrize("seed", range(3, 15))
async def test_many_kills_at_random_statements_lose_and_double_nothing(
    perils: Perils, seed: int
) -> None:
    await kills(perils, seed, times=5)
