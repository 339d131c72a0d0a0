"""A Redis that forgets, before a run or in its middle: nobody is deleted, the way back is told."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest
from fakes.upset import PROMPT, Upset, upset
from fakes.valkey import NewServer, ValkeyServer

from syncd.model.run import Outcome
from syncd.store.database import Database

USERS: dict[str | bytes, float | str] = {f"user{number:04}": number + 1 for number in range(1_000)}
OLD = ("user0000", "user0001", "user0002")
# The first reading is through with its second page, the second one has come that far as well.
FIRST, SECOND = 2, 8


@pytest.fixture
def server(new_valkey: NewServer) -> ValkeyServer:
    return new_valkey()


@pytest.fixture
async def world(database: Database, server: ValkeyServer) -> AsyncIterator[Upset]:
    """A table that follows its boards, behind a guard that waits for nothing."""
    async with upset(database, server, guard=PROMPT) as world:
        await world.fill(daily=USERS, yearly=USERS)
        await world.sync()
        assert len(await world.table()) == len(USERS)
        yield world


@pytest.mark.parametrize(
    ("forget", "why"),
    [
        (ValkeyServer.flush, ""),
        (
            ValkeyServer.restart,
            "; Redis was started anew and holds 0 members instead of 2,000",
        ),
    ],
)
async def test_a_redis_that_forgot_everybody_deletes_nobody(
    world: Upset, forget: Callable[[ValkeyServer], None], why: str
) -> None:
    before = await world.written()
    forget(world.server)

    run = await world.sync()

    assert run.outcome is Outcome.HELD
    assert run.error == f"Redis holds nobody on any board, the table 1,000 rows{why}"
    assert "--deletes N" in run.hint
    assert "after a flush `syncd rehydrate sync` puts the scores back into Redis" in run.hint
    assert await world.written() == before
    assert await world.deleted() == set()

    assert (await world.sync(act="rehydrate")).report.created == 2_000
    mended = await world.sync()

    assert (mended.outcome, mended.report.unchanged) == (Outcome.SUCCEEDED, 1_000)
    assert await world.table() == await world.boards()
    assert await world.written() == before


@pytest.mark.parametrize("forget", [ValkeyServer.flush, ValkeyServer.restart])
async def test_a_redis_that_forgets_in_the_middle_is_read_once_more(
    world: Upset, forget: Callable[[ValkeyServer], None]
) -> None:
    before = await world.written()
    world.after_page[FIRST] = lambda: forget(world.server)

    run = await world.sync()

    # What the second reading finds is nobody.
    assert (run.outcome, run.report.deleted) == (Outcome.HELD, 0)
    assert run.error.startswith("Redis holds nobody on any board, the table 1,000 rows")
    assert await world.written() == before


async def test_a_restart_that_lost_nothing_costs_a_second_reading_only(world: Upset) -> None:
    await world.tell("ZADD", "leaderboard:yearly", 5, "new")
    await world.remove("user0000")
    world.server.tell("SAVE")
    world.after_page[FIRST] = world.server.restart

    run = await world.sync()

    assert (run.outcome, run.error) == (Outcome.SUCCEEDED, "")
    assert await world.table() == await world.boards()
    assert await world.deleted() == {"user0000"}


async def test_a_redis_that_restarts_twice_fails_the_run(world: Upset) -> None:
    before = await world.written()
    world.server.tell("SAVE")
    world.after_page[FIRST] = world.server.restart
    world.after_page[SECOND] = world.server.restart

    run = await world.sync()

    assert run.outcome is Outcome.FAILED
    assert run.error == (
        "cannot read leaderboards: Redis was started anew while it was read, twice"
    )
    assert run.hint == "nothing was written; the log of Redis says why"
    assert await world.written() == before
    assert (await world.sync()).outcome is Outcome.SUCCEEDED


async def test_a_redis_that_is_gone_in_the_middle_fails_the_run(world: Upset) -> None:
    before = await world.written()
    world.server.tell("SAVE")
    world.after_page[FIRST] = world.server.kill

    run = await world.sync()

    assert run.outcome is Outcome.FAILED
    assert run.retryable
    assert run.error.startswith("cannot use Redis ")
    assert run.hint == "check that the server runs and that [redis] names it rightly"
    assert await world.written() == before

    world.server.start()
    assert (await world.sync()).outcome is Outcome.SUCCEEDED


async def test_a_board_that_expires_in_the_middle_is_read_once_more(world: Upset) -> None:
    world.after_page[FIRST] = lambda: world.server.tell("PEXPIRE", "leaderboard:daily", 1)

    run = await world.sync()

    assert (run.outcome, run.report.updated, run.report.deleted) == (Outcome.SUCCEEDED, 1_000, 0)
    assert await world.table() == await world.boards()


async def test_who_writes_at_once_into_an_emptied_redis_wipes_no_scores(world: Upset) -> None:
    before = await world.table()

    def forget_but_few() -> None:
        world.server.flush()
        for name in ("daily", "weekly", "yearly"):
            for user in OLD:
                world.server.tell("ZADD", f"leaderboard:{name}", 7, user)

    world.after_page[FIRST] = forget_but_few

    run = await world.sync()

    assert (run.outcome, run.report.deleted) == (Outcome.HELD, 0)
    assert await world.table() == before


async def test_a_redis_that_forgets_after_it_was_read_deletes_nobody_else(world: Upset) -> None:
    await world.remove("user0000")
    world.after_phase["read"] = world.server.flush

    run = await world.sync()

    assert run.outcome is Outcome.SUCCEEDED
    assert await world.deleted() == {"user0000"}
    assert len(await world.table()) == 999
    assert (await world.sync()).outcome is Outcome.HELD
    assert len(await world.table()) == 999


async def test_who_is_back_before_the_end_is_spared(world: Upset) -> None:
    await world.remove(*OLD)
    back = ("ZADD", "leaderboard:weekly", 9, OLD[0])
    world.after_phase["compare"] = lambda: world.server.tell(*back)

    run = await world.sync()

    assert (run.outcome, run.error) == (Outcome.SUCCEEDED, "")
    assert await world.deleted() == set(OLD[1:])
    await world.sync()
    assert await world.table() == await world.boards()


async def test_who_comes_back_while_the_table_is_copied_is_spared(world: Upset) -> None:
    await world.remove(*OLD)
    back = ("ZADD", "leaderboard:weekly", 9, OLD[0])
    world.after_phase["backup"] = lambda: world.server.tell(*back)

    run = await world.sync(world.job(guard={**PROMPT, "rows": 2}, large_change=0))

    assert (run.outcome, (await world.told(run)).backup) == (Outcome.SUCCEEDED, 1)
    assert await world.deleted() == set(OLD[1:])
