"""A job that is given another table: what it knew, and what waits, was about the one before."""

from __future__ import annotations

import pytest
from fakes.boarded import Boarded, boarded
from fakes.valkey import ValkeyServer

from syncd.model.leaderboard import PlanState
from syncd.model.run import Outcome
from syncd.store.database import Database

USERS = {f"u{number:03}": number + 1.0 for number in range(200)}
GONE = [*USERS][:25]
COPY = "CREATE TABLE other AS SELECT * FROM pomo_leaderboard"
KEY = "ALTER TABLE other ADD PRIMARY KEY (user_id)"


async def held(boards: Boarded) -> None:
    """Let so many leave that a plan waits, and make another table of the same rows."""
    await boards.put({"daily": USERS})
    await boards.run()
    await boards.tell("ZREM", "leaderboard:daily", *GONE)
    await boards.run()
    for statement in (COPY, KEY):
        await boards.world.rows(statement)


@pytest.mark.parametrize("is_rejected", [False, True])
async def test_a_plan_is_not_carried_out_on_another_table(
    database: Database, valkey: ValkeyServer, is_rejected: bool
) -> None:
    async with boarded(database, valkey) as boards:
        await held(boards)
        plan = await boards.plan()
        assert plan is not None
        await (boards.reject(plan) if is_rejected else boards.approve(plan))
    async with boarded(database, valkey, holder="two", table="other") as elsewhere:
        run = await elsewhere.run()
        later = await elsewhere.run()
        rows = await elsewhere.world.rows("SELECT user_id FROM other")
        plans = dict(await elsewhere.plans())

    assert (run.outcome, run.report.deleted, len(rows)) == (Outcome.HELD, 0, 200)
    assert later.outcome is Outcome.HELD
    assert plans[plan.id] is PlanState.REPLACED


async def test_who_was_missing_in_one_table_waits_anew_in_another(
    database: Database, valkey: ValkeyServer
) -> None:
    guard = {"runs": 2, "wait": "0s"}
    async with boarded(database, valkey, guard=guard) as boards:
        await boards.put({"daily": USERS})
        await boards.run()
        await boards.tell("ZREM", "leaderboard:daily", "u000")
        await boards.run()
        for statement in (COPY, KEY):
            await boards.world.rows(statement)
    async with boarded(database, valkey, holder="two", guard=guard, table="other") as elsewhere:
        first = await elsewhere.run()
        second = await elsewhere.run()

    assert (first.report.deleted, second.report.deleted) == (0, 1)


async def test_what_was_deleted_from_one_table_is_not_put_back_into_another(
    database: Database, valkey: ValkeyServer
) -> None:
    guard = {"runs": 1, "wait": "0s"}
    async with boarded(database, valkey, guard=guard) as boards:
        await boards.put({"daily": USERS})
        await boards.run()
        await boards.tell("ZREM", "leaderboard:daily", "u000")
        gone = await boards.run()
        for statement in (COPY, KEY):
            await boards.world.rows(statement)
    async with boarded(database, valkey, holder="two", guard=guard, table="other") as elsewhere:
        refused = await elsewhere.run(act="undo", of=gone.id)
        rows = await elsewhere.world.rows("SELECT user_id FROM other WHERE user_id = 'u000'")

    assert (refused.outcome, rows) == (Outcome.FAILED, [])
    assert refused.error == (
        f"run {gone.id} deleted nothing from table {database.settings.schema}.other that could be "
        "had back"
    )
