"""What waits for a person, or for a better look, is neither forgotten nor overtaken."""

from __future__ import annotations

from fakes.boarded import boarded
from fakes.upset import upset
from fakes.valkey import NewServer, ValkeyServer

from syncd.model.leaderboard import PlanState
from syncd.model.run import Outcome
from syncd.store.database import Database

USERS: dict[str | bytes, float | str] = {f"u{number:03}": number + 1.0 for number in range(200)}
GONE = [str(user) for user in USERS][:25]


async def test_an_approval_is_carried_out_by_the_next_incremental_run(
    database: Database, valkey: ValkeyServer
) -> None:
    async with boarded(database, valkey, mode="incremental") as boards:
        await boards.put({"daily": {str(user): float(score) for user, score in USERS.items()}})
        await boards.run()
        await boards.tell("ZREM", "leaderboard:daily", *GONE)
        await boards.run(full=True)
        plan = await boards.plan()
        assert plan is not None
        await boards.approve(plan)

        run = await boards.run()

        assert run.report.deleted == 25
        assert dict(await boards.plans())[plan.id] is PlanState.APPLIED


async def test_changed_users_of_a_run_that_was_held_are_not_forgotten(
    database: Database, new_valkey: NewServer
) -> None:
    server = new_valkey()
    async with upset(database, server, mode="incremental") as world:
        await world.fill(daily=USERS)
        await world.sync()
        server.flush()
        await world.fill(daily={"u000": 500})
        await world.tell("SADD", "lb:dirty", "u000")

        held = await world.sync()
        await world.sync(act="rehydrate")
        later = await world.sync()

        assert (held.outcome, held.report.updated) == (Outcome.HELD, 0)
        assert (later.outcome, later.report.updated) == (Outcome.SUCCEEDED, 1)
        assert (await world.table())["u000"] == (500, 0, 0, 0)


async def test_a_flush_overwrites_no_score_where_readings_are_never_complete(
    database: Database, new_valkey: NewServer
) -> None:
    server = new_valkey()
    async with upset(database, server) as world:
        await world.fill(daily=USERS)
        await world.sync()
        before = await world.table()
        server.flush()
        some = dict.fromkeys([*USERS][100:110], 1)
        await world.fill(daily=some)
        world.after_phase["look"] = lambda: server.tell("ZREM", "leaderboard:daily", "u100")

        run = await world.sync()

        assert run.outcome is Outcome.HELD
        assert "syncd rehydrate" in run.hint
        assert await world.table() == before
