"""A run while people opt out, pause, cancel, stop the daemon or ask for one user."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from fakes.running import PLAY, Running, handles, profile_of, profiles, running
from fakes.waiting import until

from syncd.clock import SystemClock
from syncd.model.account import Account
from syncd.model.pause import Pause, PauseScope
from syncd.model.profile import Fetched
from syncd.model.run import Outcome
from syncd.store.database import Database
from syncd.telemetry.events import RunProgressed

STORED = "SELECT count(*) FROM profiles"


@pytest.fixture
async def world(database: Database) -> AsyncIterator[Running]:
    async with running(database, SystemClock()) as world:
        yield world


async def test_an_opt_out_in_mid_run_is_honoured_at_the_next_item(world: Running) -> None:
    keys = await world.link(100)
    reached = asyncio.Event()
    go_on = asyncio.Event()

    async def answer(account: Account) -> Fetched:
        reached.set()
        await go_on.wait()
        return profile_of(account)

    world.platform.answering = answer
    number = await world.start()
    await reached.wait()
    for key in keys:
        world.around.admission.withdraw(await world.users.set_opted_out(key, opted_out=True))
    go_on.set()

    run = await world.end_of(number)

    assert world.platform.asked.total() <= world.platform.limits.slots
    assert (run.report.created, run.report.failures) == (0, {"withdrawn": run.report.skipped})
    assert await world.value(STORED) == 0


async def test_a_user_deleted_in_mid_run_leaves_nothing_behind(world: Running) -> None:
    keys = await world.link(30)
    reached, go_on = asyncio.Event(), asyncio.Event()

    async def answer(account: Account) -> Fetched:
        reached.set()
        await go_on.wait()
        return profile_of(account)

    world.platform.answering = answer
    number = await world.start()
    await reached.wait()
    for key in keys[:10]:
        world.around.admission.withdraw(await world.users.delete(key) or ())
    go_on.set()

    run = await world.end_of(number)

    assert (run.outcome, run.report.created, run.report.skipped) == ("succeeded", 20, 10)
    assert await world.value(STORED) == 20


@pytest.mark.parametrize(
    ("scope", "key"),
    [(PauseScope.ALL, ""), (PauseScope.JOB, "sync"), (PauseScope.PLATFORM, PLAY)],
)
async def test_a_pause_holds_a_run_at_its_next_item_until_somebody_resumes(
    world: Running, scope: PauseScope, key: str
) -> None:
    await world.link(100)
    pause = Pause(scope=scope, key=key, why="maintenance", paused_at=world.clock.now())

    async def answer(account: Account) -> Fetched:
        if world.platform.asked.total() == 30:
            world.around.admission.pause(pause)
        return await world.platform.agree(account)

    world.platform.answering = answer
    number = await world.start()

    async def holds() -> bool:
        return any("maintenance" in event.waits_for for event in world.told(RunProgressed))

    await until(holds, what="the run to hold")
    asked_while_paused = world.platform.asked.total()
    world.around.admission.resume(scope, key)

    run = await world.end_of(number)

    assert 30 <= asked_while_paused < 30 + world.platform.limits.slots
    assert (run.outcome, run.report.created) == ("succeeded", 100)


async def test_a_paused_account_is_left_alone_and_the_others_go_on(world: Running) -> None:
    await world.link(10)
    pause = Pause(scope=PauseScope.ACCOUNT, key=f"{PLAY}:h0004", paused_at=world.clock.now())
    world.around.admission.pause(pause)

    run = await world.run()

    assert (run.report.created, run.report.skipped) == (9, 1)
    assert world.platform.asked["h0004"] == 0


async def test_a_cancelled_run_stores_what_is_under_way_and_asks_nobody_else(
    world: Running,
) -> None:
    await world.link(100)

    async def answer(account: Account) -> Fetched:
        if world.platform.asked.total() == 30:
            world.engine.cancel(number)
        return await world.platform.agree(account)

    world.platform.answering = answer
    number = await world.start()

    run = await world.end_of(number)

    asked = world.platform.asked.total()
    assert run.outcome is Outcome.CANCELLED
    assert 30 <= asked < 30 + world.platform.limits.slots
    assert run.report.created == asked == await world.value(STORED)


async def test_a_drain_stores_all_fifty_answers_in_flight_and_the_next_start_does_the_rest(
    world: Running,
) -> None:
    await world.link(120)
    world.platform.limits = world.platform.limits.__class__(rate=1_000, slots=50)
    fifty, go_on = asyncio.Event(), asyncio.Event()

    async def answer(account: Account) -> Fetched:
        if world.platform.under_way == 50:
            fifty.set()
        await go_on.wait()
        return profile_of(account)

    world.platform.answering = answer
    number = await world.start(profiles(claim=100))
    await fifty.wait()
    async with asyncio.TaskGroup() as group:
        group.create_task(world.engine.drain(10))
        go_on.set()
    drained = await world.runs.read(number)
    stored = await world.value(STORED)

    left = await world.runs.recover()
    async with running(world.database, world.clock, holder="two") as later:
        run = await later.go_on(left[0])

    assert drained is not None
    assert (drained.outcome, drained.report.created, stored) == ("interrupted", 50, 50)
    assert (run.outcome, run.report.created, run.resumed) == ("succeeded", 120, 1)
    assert run.started_at == drained.started_at
    assert later.platform.asked.total() == 70


async def test_two_users_who_linked_one_person_never_fail_the_run(world: Running) -> None:
    await world.link(60)

    async def answer(account: Account) -> Fetched:
        twin = Account(id=account.id, user_key="", platform=PLAY, handle=handles([1])[0])
        is_twin = account.handle in {"h0001", "h0059"}
        return profile_of(twin if is_twin else account)

    world.platform.answering = answer

    run = await world.run(profiles(claim=8))

    assert (run.outcome, run.report.created, run.report.failures) == (
        "partial",
        59,
        {"unsuitable": 1},
    )
    assert await world.value("SELECT count(*) FROM accounts WHERE state = 'quarantined'") == 1


async def test_two_runs_at_a_time_never_ask_for_one_account_twice_at_the_same_time(
    world: Running,
) -> None:
    await world.link(80)
    busy: set[str] = set()
    doubled: list[str] = []

    async def answer(account: Account) -> Fetched:
        if account.handle in busy:
            doubled.append(account.handle)
        busy.add(account.handle)
        await asyncio.sleep(0.002)
        busy.discard(account.handle)
        return profile_of(account)

    world.platform.answering = answer

    everybody = await world.start()
    some = [
        await world.start(only=tuple(f"u{n:04}" for n in range(at, at + 10)), full=True)
        for at in (70, 40)
    ]
    ended = [await world.end_of(number) for number in (everybody, *some)]

    assert doubled == []
    assert {run.outcome for run in ended} == {"succeeded"}
    assert await world.value(STORED) == 80


async def test_only_narrows_a_run_to_these_users(world: Running) -> None:
    await world.link(20)

    run = await world.run(only=("u0003", "u0004"))

    assert run.report.seen == 2
    assert sorted(world.platform.asked) == ["h0003", "h0004"]
