"""A run whose PostgreSQL breaks off in the middle: it goes on by itself, and counts once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from fakes.far_database import kill_all
from fakes.running import Running, handles, profile_of, profiles, running
from fakes.tcp_proxy import TcpProxy

from syncd.clock import SystemClock
from syncd.model.account import Account
from syncd.model.profile import Fetched
from syncd.model.run import Outcome
from syncd.store.database import Database
from syncd.telemetry.events import RunHeldUp

STORED = "SELECT count(*) FROM profiles"


@pytest.fixture
async def world(far: Database) -> AsyncIterator[Running]:
    async with running(far, SystemClock()) as world:
        yield world


@pytest.mark.parametrize("breaking", ["killed", "cut"])
async def test_a_run_goes_on_by_itself_when_postgresql_comes_back(
    world: Running, database: Database, proxy: TcpProxy, breaking: str
) -> None:
    await world.link(300)
    broken = asyncio.Event()

    async def answer(account: Account) -> Fetched:
        if world.platform.asked.total() == 120 and not broken.is_set():
            broken.set()
            await (kill_all(database) if breaking == "killed" else proxy.cut())
        return await world.platform.agree(account)

    world.platform.answering = answer
    number = await world.start(profiles(claim=40))
    await broken.wait()
    await proxy.mend()
    run = await world.end_of(number)

    # A busy machine may miss the short deadline of this line again.
    breaks = world.told(RunHeldUp)
    twice = [name for name, times in world.platform.asked.items() if times > 1]
    assert (run.outcome, run.report.created, run.report.seen) == ("succeeded", 300, 300)
    assert await world.value(STORED) == 300
    assert len(twice) <= 40 * len(breaks)
    assert max(world.platform.asked.values()) <= 2
    assert not world.around.in_flight["profiles"]


async def test_a_run_that_ends_while_postgresql_is_away_ends_when_it_is_back(
    world: Running, proxy: TcpProxy
) -> None:
    await world.link(5)
    reached = asyncio.Event()

    async def answer(account: Account) -> Fetched:
        await proxy.cut()
        reached.set()
        return profile_of(account)

    world.platform.answering = answer
    number = await world.start()
    await reached.wait()
    world.engine.cancel(number)
    world.platform.answering = world.platform.agree
    await proxy.mend()

    run = await world.end_of(number)

    assert run.outcome is Outcome.CANCELLED
    assert run.finished_at is not None


async def test_a_dry_run_fails_when_postgresql_breaks_off(world: Running, proxy: TcpProxy) -> None:
    await world.link(30)
    broken = asyncio.Event()

    async def answer(account: Account) -> Fetched:
        if not broken.is_set():
            broken.set()
            await proxy.cut()
        return profile_of(account)

    world.platform.answering = answer
    number = await world.start(dry_run=True)
    await broken.wait()
    await proxy.mend()

    run = await world.end_of(number)

    assert run.outcome is Outcome.FAILED
    assert set(world.platform.asked) <= set(handles(range(30)))
    assert max(world.platform.asked.values()) == 1
