from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from fakes.clock import FakeClock
from fakes.running import Running, context_of, draft
from fakes.sweeping import SweepingPlatform, all_of, numbered

from syncd.errors import (
    BadPayload,
    CredentialsRejected,
    PlatformBlocked,
    PlatformDown,
    PlatformError,
    RateLimited,
    SweepRefused,
)
from syncd.jobs.stop import StopReason
from syncd.jobs.sweep import Sweep
from syncd.jobs.work import Budget, Work
from syncd.model.account import Account
from syncd.model.address import PostgresAddress
from syncd.model.pause import Pause, PauseScope
from syncd.model.sweep import Swept
from syncd.store.accounts import Selection
from syncd.store.database import Database
from syncd.store.pool import DatabaseSettings
from syncd.telemetry.events import Event, SweepSuspended


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def world(clock: FakeClock) -> Iterator[Running]:
    nowhere = DatabaseSettings(address=PostgresAddress(host="127.0.0.1"))
    world = Running(Database(nowhere, clock), clock, "one")
    with world.bus.subscribed(world.events.append):
        yield world


@pytest.fixture
def platform(world: Running) -> SweepingPlatform:
    return SweepingPlatform(world.clock, world.bus)


@pytest.fixture
def sweep(world: Running, platform: SweepingPlatform, clock: FakeClock) -> Sweep:
    work = Work(
        platform=platform,
        selection=Selection(kind="profiles", platforms=("play",), began_at=clock.now()),
        claim=100,
        attempts=3,
        budget=Budget(None),
        sweeps=True,
    )
    return Sweep(context_of(world, draft(clock)), work)


def suspensions(events: Sequence[Event]) -> list[float | None]:
    return [event.seconds for event in events if isinstance(event, SweepSuspended)]


async def test_everybody_is_asked_about_in_questions_of_the_largest_size(
    sweep: Sweep, platform: SweepingPlatform
) -> None:
    async def answer(accounts: Sequence[Account]) -> Swept:
        return all_of(accounts)

    platform.sweeping = answer

    digests = await sweep.ask(numbered(230))

    assert platform.sizes == [100, 100, 30]
    assert set(digests) == set(range(1, 231))


@pytest.mark.parametrize("error", [PlatformDown("HTTP 502"), BadPayload("too large")])
async def test_trouble_halves_the_question_until_it_is_answered_and_nobody_is_left_out(
    sweep: Sweep, platform: SweepingPlatform, error: Exception
) -> None:
    async def answer(accounts: Sequence[Account]) -> Swept:
        if len(accounts) > 30:
            raise error
        return all_of(accounts)

    platform.sweeping = answer

    digests = await sweep.ask(numbered(100))

    assert platform.sizes[:3] == [100, 50, 25]
    assert len(digests) == 100
    assert sweep.halted_by is None


async def test_size_grows_back_slowly_while_answers_are_good(
    sweep: Sweep, platform: SweepingPlatform
) -> None:
    troubles = 2

    async def answer(accounts: Sequence[Account]) -> Swept:
        nonlocal troubles
        troubles -= 1
        if troubles >= 0:
            raise PlatformDown("HTTP 502")
        return all_of(accounts)

    platform.sweeping = answer

    await sweep.ask(numbered(1_500))

    assert platform.sizes[:5] == [100, 50, 25, 30, 35]
    assert max(platform.sizes[2:]) == platform.lane.size == 100


async def test_what_was_answered_in_part_is_kept_and_only_the_rest_is_asked_again(
    sweep: Sweep, platform: SweepingPlatform
) -> None:
    asked: list[int] = []

    async def answer(accounts: Sequence[Account]) -> Swept:
        asked.extend(account.id for account in accounts)
        whole = all_of(accounts)
        if len(accounts) <= 20:
            return whole
        late = frozenset(account.id for account in accounts[20:])
        early = {account.id: b"new" for account in accounts[:20]}
        return Swept(digests=early, errored=late, is_strained=True)

    platform.sweeping = answer

    digests = await sweep.ask(numbered(100))

    assert len(digests) == 100
    assert asked.count(1) == 1
    assert asked.count(100) > 1


async def test_one_that_errors_is_asked_again_once_in_a_smaller_question(
    sweep: Sweep, platform: SweepingPlatform
) -> None:
    async def answer(accounts: Sequence[Account]) -> Swept:
        good = [account for account in accounts if account.id % 2]
        bad = frozenset(account.id for account in accounts if not account.id % 2)
        return replace(all_of(good), errored=bad)

    platform.sweeping = answer

    digests = await sweep.ask(numbered(200))

    assert platform.sizes == [100, 100, 50, 50]
    assert set(digests) == set(range(1, 201, 2))


async def test_one_account_that_is_too_much_by_itself_costs_the_others_nothing_but_calls(
    sweep: Sweep, platform: SweepingPlatform, world: Running
) -> None:
    async def answer(accounts: Sequence[Account]) -> Swept:
        if any(account.id == 77 for account in accounts):
            raise PlatformDown("HTTP 502")
        return all_of(accounts)

    platform.sweeping = answer

    digests = await sweep.ask(numbered(100))

    assert set(digests) == set(range(1, 101)) - {77}
    assert suspensions(world.events) == []


async def test_a_sweep_that_fails_even_for_single_accounts_rests_longer_each_time(
    sweep: Sweep, platform: SweepingPlatform, world: Running, clock: FakeClock
) -> None:
    async def fail(accounts: Sequence[Account]) -> Swept:
        raise PlatformDown("HTTP 502")

    platform.sweeping = fail

    assert await sweep.ask(numbered(100)) == {}
    assert platform.sizes == [100, 50, 25, 12, 6, 3, 1, 1]
    await sweep.ask(numbered(100))
    assert len(platform.sizes) == 8
    await clock.advance(60)
    await sweep.ask(numbered(100))
    assert len(platform.sizes) == 9
    await clock.advance(60)
    await sweep.ask(numbered(100))
    assert len(platform.sizes) == 9
    assert suspensions(world.events) == [60.0]


@pytest.mark.parametrize("error", [SweepRefused("HTTP 400"), PlatformBlocked("HTTP 403")])
async def test_a_refused_sweep_is_given_up_for_the_run_and_told_once(
    sweep: Sweep,
    platform: SweepingPlatform,
    world: Running,
    clock: FakeClock,
    error: PlatformError,
) -> None:
    async def refuse(accounts: Sequence[Account]) -> Swept:
        raise error

    platform.sweeping = refuse

    await sweep.ask(numbered(200))
    await clock.advance(3_600)
    await sweep.ask(numbered(200))

    assert platform.sizes == [100]
    assert suspensions(world.events) == [None]
    assert (sweep.halted_by, platform.lane.size) == (None, 100)


@pytest.mark.parametrize(
    "error",
    [
        CredentialsRejected("HTTP 401"),
        PlatformDown("open", until=FakeClock().now()),
        PlatformBlocked("open", until=FakeClock().now()),
    ],
)
async def test_what_is_about_the_platform_halts_the_pass_and_keeps_what_was_answered(
    sweep: Sweep, platform: SweepingPlatform, error: PlatformError
) -> None:
    async def answer(accounts: Sequence[Account]) -> Swept:
        if len(platform.sizes) == 2:
            raise error
        return all_of(accounts)

    platform.sweeping = answer

    digests = await sweep.ask(numbered(300))

    assert sweep.halted_by is error
    assert set(digests) == set(range(1, 101))
    assert (platform.sizes, platform.lane.size) == ([100, 100], 100)


async def test_a_pause_of_the_whole_platform_halts_the_pass(
    sweep: Sweep, platform: SweepingPlatform, clock: FakeClock
) -> None:
    async def answer(accounts: Sequence[Account]) -> Swept:
        platform.client.gate.pauses.pause(900, "secondary limit")
        raise error

    error = RateLimited("secondary limit", until=clock.now() + timedelta(seconds=900))
    platform.sweeping = answer

    await sweep.ask(numbered(300))

    assert (sweep.halted_by, platform.sizes) == (error, [100])


async def test_a_pause_of_its_own_quota_rests_the_sweep_until_then_and_halts_nothing(
    sweep: Sweep, platform: SweepingPlatform, world: Running, clock: FakeClock
) -> None:
    until = clock.now() + timedelta(seconds=900)

    async def answer(accounts: Sequence[Account]) -> Swept:
        if clock.now() < until:
            raise RateLimited("graphql quota used up", until=until)
        return all_of(accounts)

    platform.sweeping = answer

    at_once = await sweep.ask(numbered(300))
    await clock.advance(899)
    resting = await sweep.ask(numbered(300))
    await clock.advance(1)
    later = await sweep.ask(numbered(300))

    assert (len(at_once), len(resting), len(later)) == (0, 0, 300)
    assert (platform.sizes, sweep.halted_by) == ([100] * 4, None)
    assert suspensions(world.events) == [900.0]


async def test_a_person_who_pauses_the_job_is_heard_before_the_next_question(
    world: Running, platform: SweepingPlatform, sweep: Sweep, clock: FakeClock
) -> None:
    async def answer(accounts: Sequence[Account]) -> Swept:
        pause = Pause(scope=PauseScope.PLATFORM, key="play", paused_at=clock.now())
        world.around.admission.pause(pause)
        return all_of(accounts)

    platform.sweeping = answer

    digests = await sweep.ask(numbered(300))

    assert (platform.sizes, len(digests), sweep.halted_by) == ([100], 100, None)


async def test_a_stop_ends_it_after_the_question_under_way(
    world: Running, platform: SweepingPlatform, sweep: Sweep, clock: FakeClock
) -> None:
    context = context_of(world, draft(clock))
    work = Work(
        platform=platform,
        selection=Selection(kind="profiles", platforms=("play",), began_at=clock.now()),
        claim=100,
        attempts=3,
        budget=Budget(None),
        sweeps=True,
    )

    async def answer(accounts: Sequence[Account]) -> Swept:
        context.stop.request(StopReason.DRAIN, timedelta(seconds=1).total_seconds())
        return all_of(accounts)

    platform.sweeping = answer

    digests = await Sweep(context, work).ask(numbered(200))

    assert len(digests) == 100


async def test_two_runs_never_ask_at_the_same_time_with_one_credential(
    platform: SweepingPlatform, sweep: Sweep
) -> None:
    under_way = most = 0

    async def answer(accounts: Sequence[Account]) -> Swept:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        under_way -= 1
        return all_of(accounts)

    platform.sweeping = answer

    await asyncio.gather(sweep.ask(numbered(200)), sweep.ask(numbered(200)))

    assert (most, len(platform.sizes)) == (1, 4)
