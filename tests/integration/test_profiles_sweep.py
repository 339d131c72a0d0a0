"""Sweeps of a run over a real store: what is held meanwhile, and what a fault of one costs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import pytest
from fakes.running import PLAY, Running, profile_of, profiles, running
from fakes.sweeping import SweepingPlatform

from syncd.clock import SystemClock
from syncd.model.account import Account, SweepMark
from syncd.model.profile import Fetched
from syncd.model.sweep import Swept
from syncd.store.database import Database
from syncd.telemetry.events import SweepSuspended

USERS = 330


@pytest.fixture
async def platform(world: Running) -> SweepingPlatform:
    platform = SweepingPlatform(world.clock, world.bus)
    world.around.platforms[PLAY] = [platform]  # type: ignore[index]

    async def tell(account: Account) -> Fetched:
        answer = profile_of(account)
        mark = SweepMark(key=account.handle, digest=account.handle.encode())
        return Fetched(profile=answer.profile, mark=mark)

    platform.answering = tell
    return platform


@pytest.fixture
async def world(database: Database) -> AsyncIterator[Running]:
    async with running(database, SystemClock()) as world:
        yield world


def told(accounts: Sequence[Account]) -> Swept:
    return Swept(digests={account.id: account.handle.encode() for account in accounts})


async def test_between_claim_and_commit_stand_never_more_accounts_than_a_claim(
    world: Running, platform: SweepingPlatform
) -> None:
    await world.link(USERS)
    await world.run()
    held: list[int] = []

    async def answer(accounts: Sequence[Account]) -> Swept:
        held.append(len(world.around.in_flight["profiles"]))
        changed = {account.id: b"new" for account in accounts if account.id % 3 == 0}
        return Swept(digests={**told(accounts).digests, **changed})

    platform.sweeping = answer
    platform.asked.clear()

    run = await world.run(profiles(claim=100))

    assert run.report.unchanged == USERS
    assert platform.asked.total() == USERS / 3
    assert set(platform.asked.values()) == {1}
    assert 50 <= max(held) <= 100
    assert not world.around.in_flight["profiles"]


@pytest.mark.parametrize("claim", [1, 2, 7, 101, 1_000])
async def test_any_size_of_claim_tells_of_everybody_once(
    world: Running, platform: SweepingPlatform, claim: int
) -> None:
    await world.link(60)
    await world.run()

    async def answer(accounts: Sequence[Account]) -> Swept:
        return told(accounts)

    platform.sweeping = answer
    platform.asked.clear()

    run = await world.run(profiles(claim=claim))

    assert (run.report.unchanged, sum(platform.sizes), platform.asked.total()) == (60, 60, 0)


async def test_bug_in_a_sweep_is_told_with_its_stack_and_everybody_is_asked_for_alone(
    world: Running, platform: SweepingPlatform
) -> None:
    await world.link(60)
    await world.run()

    async def answer(accounts: Sequence[Account]) -> Swept:
        raise ZeroDivisionError

    platform.sweeping = answer

    run = await world.run()

    [event] = world.told(SweepSuspended)
    assert (run.outcome, run.report.unchanged, len(platform.sizes)) == ("succeeded", 60, 1)
    assert "ZeroDivisionError" in event.stack


async def test_limited_run_sweeps_no_more_than_its_limit(
    world: Running, platform: SweepingPlatform
) -> None:
    await world.link(60)
    await world.run()

    async def answer(accounts: Sequence[Account]) -> Swept:
        return told(accounts)

    platform.sweeping = answer

    run = await world.run(limit=37)

    assert (run.report.seen, sum(platform.sizes)) == (37, 37)
