"""The way back into an emptied Redis, and what was approved before it was emptied."""

from __future__ import annotations

import pytest
from fakes.upset import PROMPT, upset
from fakes.valkey import NewServer, ValkeyServer

from syncd.model.run import Outcome
from syncd.store.database import Database

USERS: dict[str | bytes, float | str] = {f"user{number:04}": number + 1 for number in range(1_000)}
DAY_SECONDS = 86_400


@pytest.fixture
def server(new_valkey: NewServer) -> ValkeyServer:
    return new_valkey()


async def test_a_flush_after_the_approval_is_asked_about_anew(
    database: Database, server: ValkeyServer
) -> None:
    async with upset(database, server) as world:
        await world.fill(daily=USERS)
        await world.sync()
        gone = [str(user) for user in USERS][:300]
        await world.remove(*gone)
        assert (await world.sync()).outcome is Outcome.HELD
        await world.approve()
        await world.fill(daily={user: USERS[user] for user in gone[:100]})
        server.flush()

        run = await world.sync()

        assert (run.outcome, run.report.deleted) == (Outcome.HELD, 0)
        assert "Redis holds nobody on any board, the table 1,000 rows" in run.error
        assert await world.deleted() == set()
        last = await world.world.around.stores.leaderboards.last_source(run.job)
        assert last is not None
        assert last[2].members == 1_000


async def test_scores_that_the_table_does_not_have_are_not_put_back(
    database: Database, server: ValkeyServer
) -> None:
    async with upset(database, server, guard=PROMPT, table="lb") as world:
        await world.world.rows(
            "CREATE TABLE lb (user_id text PRIMARY KEY, daily_pomo numeric, weekly_pomo bigint,"
            " monthly_pomo integer, yearly_pomo float8, updated_at timestamptz)"
        )
        await world.world.rows(
            "INSERT INTO lb (user_id, daily_pomo) VALUES ('ada', 5), ('bob', NULL)"
        )

        run = await world.sync(act="rehydrate")

        assert (run.outcome, run.report.created) == (Outcome.SUCCEEDED, 1)
        assert await world.boards() == {"ada": (5, 0, 0, 0)}


async def test_a_board_that_came_back_in_part_still_ends_when_it_should(
    database: Database, server: ValkeyServer
) -> None:
    async with upset(database, server) as world:
        await world.fill(daily=USERS)
        await world.tell("EXPIRE", "leaderboard:daily", DAY_SECONDS)
        await world.sync()
        server.flush()
        used = (await world.tell("INFO", "memory"))["used_memory"]
        await world.tell("CONFIG", "SET", "maxmemory", used + 40_000)

        run = await world.sync(act="rehydrate")

        assert run.outcome is Outcome.PARTIAL
        assert 0 < await world.tell("ZCARD", "leaderboard:daily") < len(USERS)
        assert 0 < await world.tell("TTL", "leaderboard:daily") <= DAY_SECONDS


async def test_scores_from_before_a_flush_outlive_those_that_began_at_nothing(
    database: Database, server: ValkeyServer
) -> None:
    async with upset(database, server) as world:
        await world.fill(daily=USERS)
        await world.sync()
        before = await world.table()
        server.flush()
        await world.fill(daily={"user0499": 2, "user0000": 7, "newcomer": 1})

        held = await world.sync()
        untouched = {**before, "newcomer": (1, 0, 0, 0)}
        assert (held.outcome, await world.table()) == (Outcome.HELD, untouched)
        put_back = await world.sync(act="rehydrate")
        healed = await world.sync()

        assert put_back.report.created == 999
        assert healed.outcome is Outcome.SUCCEEDED
        assert await world.table() == {**untouched, "user0000": (7, 0, 0, 0)}
        assert await world.boards() == await world.table()
