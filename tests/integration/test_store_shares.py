"""What a run comes to on each platform: counted with the batches, and with nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest
from fakes.batches import AT, KIND, Desk, accounts_of, begin, failure, success
from fakes.clock import FakeClock
from fakes.running import PLAY, Running, draft, running

from syncd.errors import LeaseLost
from syncd.model.item import Withdrawn
from syncd.model.run import PlatformReport, RunId
from syncd.store.accounts import START, Selection
from syncd.store.database import Database

HOUR = timedelta(hours=1)


@pytest.fixture
async def world(database: Database) -> AsyncIterator[Running]:
    async with running(database, FakeClock(AT)) as world:
        await world.link(6)
        yield world


@pytest.fixture
async def desk(world: Running) -> Desk:
    return Desk(world, await begin(world), await accounts_of(world))


async def shares_of(desk: Desk) -> dict[str, PlatformReport]:
    return dict((await desk.world.runs.platform_reports([desk.number]))[desk.number])


async def test_batches_of_a_platform_add_up_and_platforms_stay_apart(desk: Desk) -> None:
    one, two, three, four, five, six = desk.accounts
    await desk.commit(success(one), failure(two, "not_found"), calls=3, asked=2, seconds=0.5)
    await desk.commit(success(one), Withdrawn(account=three), calls=1, saved=1, asked=1, seconds=1)
    await desk.commit(failure(four), failure(five, "not_found"), platform="chess", calls=2)
    await desk.commit(success(six), platform="chess")

    shares = await shares_of(desk)

    play, chess = shares[PLAY], shares["chess"]
    assert (play.report.created, play.report.unchanged, play.report.skipped) == (1, 1, 1)
    assert (play.report.calls, play.report.saved, play.asked, play.seconds) == (4, 1, 3, 1.5)
    assert (play.mean_seconds, play.success_rate, play.profiles) == (0.5, 2 / 3, 2)
    assert play.report.failures == {"not_found": 1, "withdrawn": 1}
    assert chess.report.failures == {"transient": 1, "not_found": 1}
    assert (chess.mean_seconds, chess.success_rate) == (None, 1 / 3)
    assert play.report + chess.report == await desk.report()


async def test_a_run_that_was_taken_over_gets_no_share(desk: Desk) -> None:
    await desk.world.runs.abandon(desk.number, AT, "a person")

    with pytest.raises(LeaseLost):
        await desk.commit(success(desk.accounts[0]), asked=1, seconds=1.0)

    assert await shares_of(desk) == {}


async def test_a_dry_run_is_counted_by_platform_and_writes_nothing_else(desk: Desk) -> None:
    await desk.commit(success(desk.accounts[0]), asked=1, seconds=0.25, dry_run=True)

    share = (await shares_of(desk))[PLAY]
    assert (share.profiles, share.mean_seconds) == (1, 0.25)
    assert await desk.profiles() == []


async def test_a_row_that_is_refused_is_counted_once_and_its_time_too(desk: Desk) -> None:
    good, bad = success(desk.accounts[0]), success(desk.accounts[1], text="\ud800")
    await desk.commit(good, bad, calls=2, asked=2, seconds=3.0)

    share = (await shares_of(desk))[PLAY]
    assert share.report == await desk.report()
    assert (share.report.created, share.report.failures) == (1, {"schema_error": 1})
    assert (share.report.calls, share.asked, share.seconds) == (2, 2, 3.0)


async def covered(world: Running, **changes: object) -> int:
    whole = Selection(kind=KIND, platforms=(PLAY,), began_at=AT + 2 * HOUR)
    selection = replace(whole, **changes)  # type: ignore[arg-type] - the test's own keys
    claims = await world.around.stores.accounts.claim(selection, PLAY, 0, START, 100)
    due = await world.around.stores.accounts.count_due(selection)
    assert due.total() == len(claims)
    return len(claims)


async def test_what_another_job_got_is_spared_as_long_as_it_is_fresh(world: Running) -> None:
    number = RunId(await world.runs.create(draft(world.clock, job="main")))
    await world.runs.begin(number, AT)
    desk = Desk(world, number, await accounts_of(world))
    await desk.commit(*(success(account) for account in desk.accounts[:4]))

    fresh = AT - HOUR
    assert await covered(world, job="backup", covered_since=fresh) == 2
    assert await covered(world, job="backup", covered_since=AT + HOUR) == 6
    assert await covered(world, job="main", covered_since=fresh) == 6
    assert await covered(world, job="backup", covered_since=None) == 6


async def test_what_another_job_got_plans_no_retry(world: Running) -> None:
    number = RunId(await world.runs.create(draft(world.clock, job="main")))
    await world.runs.begin(number, AT)
    desk = Desk(world, number, await accounts_of(world))
    await desk.commit(*(success(account) for account in desk.accounts))
    soon = AT + 3 * HOUR
    find = world.around.stores.accounts.next_retry

    pass_began, outlets = AT + HOUR, {(PLAY, "main"): soon}

    assert await find(KIND, pass_began, outlets, ("backup", AT - HOUR)) is None
    assert await find(KIND, pass_began, outlets, ("main", AT - HOUR)) == soon
