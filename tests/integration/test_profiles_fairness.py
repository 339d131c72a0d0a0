"""One account that always fails never keeps the others from their turn."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from fakes.clock import FakeClock
from fakes.running import Running, profile_of, profiles, running

from syncd.errors import CredentialsRejected, PlatformBlocked
from syncd.model.account import Account
from syncd.model.profile import Fetched
from syncd.model.run import Cause, Outcome, RunOptions
from syncd.store.database import Database


@pytest.fixture
async def world(database: Database) -> AsyncIterator[Running]:
    clock = FakeClock()
    async with running(database, clock) as world:
        yield world


async def test_an_account_that_is_always_refused_is_set_aside_and_the_others_are_fresh(
    world: Running, database: Database
) -> None:
    await world.link(100)

    async def answer(account: Account) -> Fetched:
        if account.handle == "h0000":
            raise PlatformBlocked("HTTP 403")
        return profile_of(account)

    world.platform.answering = answer
    assert isinstance(world.clock, FakeClock)
    run = await world.clock.run(world.run())

    assert (run.outcome, run.report.created, run.report.failed) == (Outcome.PARTIAL, 99, 1)
    assert run.report.failures == {"blocked": 1}


async def test_a_platform_that_refuses_everybody_is_given_up_soon_and_nobody_is_marked(
    world: Running,
) -> None:
    await world.link(100)

    async def answer(account: Account) -> Fetched:
        raise PlatformBlocked("HTTP 403")

    world.platform.answering = answer
    run = await world.run()

    assert (run.outcome, run.report.seen) == (Outcome.FAILED, 0)
    assert world.platform.asked.total() <= 20
    assert await world.value("SELECT count(*) FROM sync_state WHERE fail_streak > 0") == 0


async def test_a_refused_credential_ends_the_pass_at_once(world: Running) -> None:
    await world.link(100)

    async def answer(account: Account) -> Fetched:
        raise CredentialsRejected("HTTP 401")

    world.platform.answering = answer
    run = await world.run()

    assert (run.outcome, run.report.seen) == (Outcome.FAILED, 0)
    assert world.platform.asked.total() <= world.platform.limits.slots


async def test_calls_of_runs_side_by_side_are_told_apart(world: Running) -> None:
    users = await world.link(40)

    whole = await world.start()
    single = await world.start(only=(users[-1],))
    ends = [await world.end_of(whole), await world.end_of(single)]

    assert sum(run.report.calls for run in ends) == world.platform.asked.total()
    assert [run.report.calls for run in ends] == [run.report.seen for run in ends]


async def test_a_retry_of_a_catch_up_job_asks_only_for_what_failed(world: Running) -> None:
    await world.link(100)
    assert isinstance(world.clock, FakeClock)
    catch_up = profiles(mode="catch_up")
    await world.run(catch_up)
    await world.clock.advance(3600)
    await world.value("UPDATE sync_state SET succeeded_at = '-infinity' WHERE account_id = 1")
    world.platform.asked.clear()

    async def answer(account: Account) -> Fetched:
        raise ZeroDivisionError

    world.platform.answering = answer
    failed = await world.run(catch_up)
    await world.clock.advance(3600)
    world.platform.answering = world.platform.agree
    retry = await world.retry(catch_up)

    assert (failed.report.seen, retry.cause, retry.report.seen) == (1, Cause.RETRY, 1)
    assert retry.options == RunOptions()
