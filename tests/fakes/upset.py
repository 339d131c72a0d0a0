"""A leaderboard job as the daemon runs it, while something happens to its Redis.

    async with upset(database, server, guard=PROMPT) as world:
        await world.fill(daily=USERS)
        world.after_page[2] = server.flush
        run = await world.sync()

What happens does so at a certain point of the run: when a page was read, or a phase has ended.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from fakes.boards import NAMES, fill
from fakes.running import JOB, Running, running
from fakes.valkey import ValkeyServer

from syncd.clock import SystemClock
from syncd.jobs.boards import LeaderboardOptions
from syncd.jobs.leaderboard import Leaderboard
from syncd.model.address import RedisAddress
from syncd.model.leaderboard import Plan, PlanState, Reconciliation
from syncd.model.run import Run
from syncd.store.database import Database
from syncd.store.plans import Ruling
from syncd.telemetry.events import Event, PhaseFinished

PROMPT: dict[str, Any] = {"share": 0.2, "runs": 1, "wait": "0s"}
"""A guard that lets a run delete at once, as many as it can be made to."""
PAGE = 100
PAUSE = 0.001

Mishap = Callable[[], object]


class PageClock(SystemClock):
    """Knows the pause between two pages from any other sleep, and lets things happen there."""

    def __init__(self) -> None:
        self.pages = 0
        self.mishaps: dict[int, Mishap] = {}

    async def sleep(self, seconds: float) -> None:
        if seconds == PAUSE:
            self.pages += 1
            self.mishaps.pop(self.pages, bool)()
        await super().sleep(seconds)


class Upset:
    """One process with the job over a server; `after_page` counts the pages of one run.

    The table and the boards are compared as {user: scores in the order of the boards}.
    """

    def __init__(self, world: Running, server: ValkeyServer, options: Mapping[str, Any]) -> None:
        self.world = world
        self.server = server
        self.after_phase: dict[str, Mishap] = {}
        self._options = options
        self._table = options.get("table", "pomo_leaderboard")

    @property
    def clock(self) -> PageClock:
        assert isinstance(self.world.clock, PageClock)
        return self.world.clock

    @property
    def after_page(self) -> dict[int, Mishap]:
        return self.clock.mishaps

    def job(self, **options: Any) -> Leaderboard:
        whole = {"batch": PAGE, "pause": f"{PAUSE * 1000:g}ms", **self._options, **options}
        return Leaderboard(JOB, LeaderboardOptions(**whole))

    async def fill(self, **boards: Mapping[str | bytes, float | str]) -> None:
        async with self.server.client() as client:
            await fill(client, boards)

    async def remove(self, *users: str) -> None:
        """Take users off every board."""
        for name in NAMES:
            await self.tell("ZREM", f"leaderboard:{name}", *users)

    async def tell(self, *words: Any) -> Any:
        """Say a command to the server, as somebody else who uses it."""
        async with self.server.client() as client:
            return await client.execute_command(*words)

    async def sync(
        self, work: Leaderboard | None = None, *, seconds: float = 20.0, **options: Any
    ) -> Run:
        """Run the job to its end, within `seconds`; `options` are those of the run."""
        self.clock.pages = 0
        run_id = await self.world.start(work or self.job(), **options)
        return await self.world.end_of(run_id, seconds)

    async def table(self) -> dict[str, tuple[float, ...]]:
        rows = await self.world.rows(f"SELECT * FROM {self._table}")  # noqa: S608 - a test's own
        return {row["user_id"]: tuple(row[f"{name}_pomo"] for name in NAMES) for row in rows}

    async def boards(self) -> dict[str, tuple[float, ...]]:
        """Return what the table should be by what the server says now."""
        found: dict[str, tuple[float, ...]] = {}
        async with self.server.client() as client:
            for number, name in enumerate(NAMES):
                for user, score in await client.zrange(
                    f"leaderboard:{name}", 0, -1, withscores=True
                ):
                    scores = list(found.get(user.decode(), (0.0,) * len(NAMES)))
                    scores[number] = score
                    found[user.decode()] = tuple(scores)
        return found

    async def written(self) -> list[dict[str, Any]]:
        """Return what changes whenever a row is written, be it to what it was."""
        return await self.world.rows(
            f"SELECT ctid::text, xmin::text FROM {self._table} ORDER BY user_id"  # noqa: S608
        )

    async def deleted(self) -> set[str]:
        """Return who was ever deleted."""
        rows = await self.world.rows("SELECT user_id FROM leaderboard_tombstones")
        return {row["user_id"] for row in rows}

    async def letters(self) -> dict[str, tuple[str, str]]:
        """Return the letter of each user who was set aside: its state and why."""
        rows = await self.world.rows("SELECT * FROM dead_letters WHERE kind = 'leaderboard'")
        return {
            row["item_key"].removeprefix(f"{JOB}/"): (row["state"], row["error"]) for row in rows
        }

    async def told(self, run: Run) -> Reconciliation:
        """Return what a run came to."""
        found = await self.world.around.stores.leaderboards.read(run.id)
        assert found is not None
        return found

    async def approve(self) -> Plan:
        """Approve what is held, with its number."""
        plans, plan = self.world.around.stores.plans, await self._held()
        ruling = Ruling(actor="ops", at=datetime.now(UTC))
        return await plans.approve(plan.id, plan.digest, plan.deletes, ruling)

    async def reject(self) -> Plan:
        """Let the rows of what is held be kept."""
        plans, plan = self.world.around.stores.plans, await self._held()
        return await plans.reject(plan.id, Ruling(actor="ops", at=datetime.now(UTC)))

    async def _held(self) -> Plan:
        plan = await self.world.around.stores.plans.open(JOB, datetime.now(UTC))
        assert plan is not None
        assert plan.state is PlanState.HELD
        return plan

    def note(self, event: Event) -> None:
        if isinstance(event, PhaseFinished):
            self.after_phase.pop(event.phase, bool)()


@contextlib.asynccontextmanager
async def upset(
    database: Database, server: ValkeyServer, redis: RedisAddress | None = None, **options: Any
) -> AsyncIterator[Upset]:
    """Bring up a process with the job; `options` are those of [jobs.NAME]."""
    redis = redis or server.address
    async with running(database, PageClock(), redis=redis) as running_world:
        world = Upset(running_world, server, options)
        with running_world.bus.subscribed(world.note):
            yield world
