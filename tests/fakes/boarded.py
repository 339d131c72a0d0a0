"""A leaderboard job over a real Valkey and a real PostgreSQL, run as the daemon runs it.

async with boarded(database, valkey, SystemClock(), guard=PROMPT) as boards:
    await boards.put({"daily": {"ada": 5}})
    run = await boards.run()
    assert await boards.table() == {"ada": {"daily": 5.0, ...}}
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any

from fakes.boards import NAMES, fill
from fakes.postgres_proxy import Point, PostgresProxy
from fakes.running import JOB, Running, draft, running, to_job
from fakes.valkey import ValkeyServer
from fakes.waiting import until

from syncd.clock import Clock, SystemClock
from syncd.jobs.boards import LeaderboardOptions
from syncd.jobs.leaderboard import Leaderboard
from syncd.jobs.stop import Stop
from syncd.model.leaderboard import Plan, PlanState, Reconciliation
from syncd.model.run import Run, RunOptions
from syncd.runs.runner import Order
from syncd.store.database import Database
from syncd.store.leaderboards import LeaderboardStore
from syncd.store.plans import Ruling

WIDE = {"rows": 1_000_000, "share": 0.2}
PROMPT: dict[str, Any] = {**WIDE, "runs": 1, "wait": "0s"}
"""A guard that lets a run delete at once whoever is missing."""
QUIET_LOCKS = """
    SELECT count(*) = 0 FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database
    WHERE locktype = 'advisory' AND datname = current_database()
"""

Scores = Mapping[str, Mapping[str, float | str]]
"""Per board the users and their scores."""


class Boarded:
    """One process with a leaderboard job; `options` are those of [jobs.NAME]."""

    def __init__(self, world: Running, valkey: ValkeyServer, options: Mapping[str, Any]) -> None:
        self.world = world
        self.valkey = valkey
        self.options = LeaderboardOptions(**options)
        self.work = Leaderboard(JOB, self.options)
        self.names = self.options.boards
        self._rows = 0

    def write_at_most(self, rows: int) -> None:
        """Let a transaction write no more rows than this, here and in a process that dies."""
        self._rows = rows
        self._divide(self.world)

    def _divide(self, world: Running) -> None:
        if self._rows:
            stores = world.around.stores
            store = LeaderboardStore(world.database, stores.runs, batch=self._rows)
            object.__setattr__(stores, "leaderboards", store)

    async def put(self, boards: Scores) -> None:
        """Make the boards these, and nothing but these."""
        async with self.valkey.client() as client:
            await client.flushall()
            await fill(client, {name: scores for name, scores in boards.items() if scores})

    async def tell(self, *words: Any) -> Any:
        """Say a command to Valkey, as somebody else who uses it."""
        async with self.valkey.client() as client:
            return await client.execute_command(*words)

    async def sql(self, query: str, *values: Any) -> list[dict[str, Any]]:
        """Ask PostgreSQL, as somebody else who uses it."""
        return await self.world.rows(query, *values)

    async def fill_table(self, rows: Mapping[str, Mapping[str, float]]) -> None:
        """Put rows into the table of the shipped names."""
        for user, scores in rows.items():
            values = [scores.get(name, 0.0) for name in NAMES]
            await self.sql(
                "INSERT INTO pomo_leaderboard VALUES ($1, $2, $3, $4, $5, '2020-02-02T00:00Z')",
                user,
                *values,
            )

    async def table(self) -> dict[str, dict[str, float]]:
        """Return who is in the table, with what scores."""
        rows = await self.sql("SELECT * FROM pomo_leaderboard ORDER BY user_id")
        return {row["user_id"]: {name: row[f"{name}_pomo"] for name in NAMES} for row in rows}

    async def versions(self) -> list[dict[str, Any]]:
        """Return what changes whenever a row is written, be it to what it was."""
        return await self.sql(
            "SELECT ctid::text, xmin::text, user_id FROM pomo_leaderboard ORDER BY user_id"
        )

    async def scores(self) -> dict[str, dict[str, float]]:
        """Return the boards as Valkey has them."""
        async with self.valkey.client() as client:
            found = {
                board.name: await client.zrange(board.key, 0, -1, withscores=True)
                for board in self.options.all_boards()
            }
        return {
            name: {user.decode(): score for user, score in pairs}
            for name, pairs in found.items()
            if pairs
        }

    async def run(self, **options: Any) -> Run:
        """Run the job to its end; `options` are those of the run."""
        return await self.world.run(self.work, **options)

    async def told(self, run: Run) -> Reconciliation:
        """Return what a run came to."""
        found = await self.world.around.stores.leaderboards.read(run.id)
        assert found is not None
        return found

    async def plan(self) -> Plan | None:
        """Return the open plan."""
        now = self.world.clock.now()
        return await self.world.around.stores.plans.open(JOB, now)

    async def plans(self) -> list[tuple[int, PlanState]]:
        """Return every plan and how it stands, oldest first."""
        now = self.world.clock.now()
        found = await self.world.around.stores.plans.list_newest(JOB, None, 100, now)
        return [(plan.id, plan.state) for plan in reversed(found)]

    async def approve(self, plan: Plan, deletes: int | None = None) -> Plan:
        ruling = Ruling(actor="ops", at=self.world.clock.now())
        return await self.world.around.stores.plans.approve(plan.id, plan.digest, deletes, ruling)

    async def reject(self, plan: Plan) -> Plan:
        ruling = Ruling(actor="ops", at=self.world.clock.now())
        return await self.world.around.stores.plans.reject(plan.id, ruling)

    async def killed(self, proxy: PostgresProxy, point: Point, **options: Any) -> bool:
        """Run in a process that reaches PostgreSQL through a proxy, and dies at a point.

        Tell whether it came so far; then the run is left as it was.
        """
        database = self.world.database
        there = replace(database.settings.address, host="127.0.0.1", port=proxy.port, ssl="disable")
        async with Database(replace(database.settings, address=there), SystemClock()) as far:
            dead = Running(far, SystemClock(), "dead", redis=self.valkey.address)
            self._divide(dead)
            run_id = await dead.runs.create(draft(dead.clock, RunOptions(**options)))
            run = await dead.runs.read(run_id)
            assert run is not None
            job = to_job(self.work)
            task = asyncio.create_task(dead.runner.execute(Order(run=run, job=job, stop=Stop())))
            fell = proxy.strike(point, task.cancel)
            await asyncio.wait({task}, timeout=20)
            assert task.done()
        await self.is_quiet()
        if not fell.is_set():
            proxy.strike(Point(sql="^never$"))
            assert task.result() is not None
        return task.cancelled()

    async def is_quiet(self) -> None:
        """Wait until PostgreSQL has noticed that somebody is dead."""

        async def ask() -> bool:
            return bool(await self.world.value(QUIET_LOCKS))

        await until(ask, what="no run at the table")

    async def goes_on(self) -> Run:
        """Go on with the run that a dead process left, or return it if it had ended."""
        for left in await self.world.runs.recover():
            return await self.world.go_on(left, self.work)
        return (await self.world.runs.list_newest(JOB, None, 1))[0]

    async def forget(self) -> None:
        """Let there have been nothing."""
        tables = "pomo_leaderboard, leaderboard_missing, leaderboard_sources, dead_letters, runs"
        await self.sql(f"TRUNCATE {tables}, plans, plan_rows, leaderboard_tombstones CASCADE")
        await self.tell("FLUSHALL")


@contextlib.asynccontextmanager
async def boarded(
    database: Database,
    valkey: ValkeyServer,
    clock: Clock | None = None,
    *,
    holder: str = "one",
    **options: Any,
) -> AsyncIterator[Boarded]:
    """Bring up a process with the job."""
    clock = clock or SystemClock()
    async with running(database, clock, holder=holder, redis=valkey.address) as world:
        yield Boarded(world, valkey, options)
