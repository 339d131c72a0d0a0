"""A whole syncd in virtual time over stand-ins that announce contests, run as the daemon runs it.

async with heralds(database, folder, clock) as world:
    run = await world.run()
    world["codeforces"].move_contest("1700", "2026-01-09T12:00Z")
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from fakes.clock import FakeClock
from fakes.listened import written
from fakes.platform_worlds import PLATFORMS, STANDINS
from fakes.running import draft

from syncd.daemon.core import Core, assemble
from syncd.daemon.settings import load_config
from syncd.jobs.stop import Stop
from syncd.model.run import Cause, Run, RunOptions
from syncd.runs.runner import Order
from syncd.sandbox.base import StandIn
from syncd.sandbox.server import serve
from syncd.store.database import Database
from syncd.telemetry.bus import Bus
from syncd.telemetry.events import Event

JOB, NEAR = "contests", "contests-near"
SITES = ("codeforces", "leetcode", "codechef", "atcoder")
HERALDS = tuple(name for name in SITES if PLATFORMS[name].announces_contests)
"""Those of the four that announce contests."""
_SEED = 7


class Heralds:
    """Runs the jobs over what the stand-ins announce; the clock stands between runs."""

    def __init__(self, core: Core, standins: Mapping[str, StandIn], clock: FakeClock) -> None:
        self.core = core
        self.standins = standins
        self.clock = clock
        self.events: list[Event] = []
        self.cause = Cause.MANUAL
        self._ended: dict[int, asyncio.Future[Run]] = {}
        core.engine.on_end(lambda run: self._ending(run.id).set_result(run))

    def __getitem__(self, name: str) -> Any:
        """Return the calendar of a stand-in."""
        standin: Any = self.standins[name]
        return standin.calendar

    def standin(self, name: str) -> Any:
        return self.standins[name]

    def told(self, kind: type[Event]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    def calls(self, name: str) -> int:
        return int(self.standin(name).counters.requests)

    async def run(self, job: str = JOB, **options: Any) -> Run:
        """Run a job a second later, to its end."""
        await self.clock.advance(1)
        return await self.clock.run(self._run(job, RunOptions(**options)))

    async def _run(self, job: str, options: RunOptions) -> Run:
        runs = self.core.around.stores.runs
        asked = draft(self.clock, options, job=job, kind=JOB, cause=self.cause)
        run = await runs.read(await runs.create(asked))
        assert run is not None
        # Without a deadline: virtual time would jump to it while a stand-in answers.
        self.core.engine.start(Order(run=run, job=self.core.scheduler.job(job), stop=Stop()))
        return await self._ending(run.id)

    async def go_on(self, run: Run, job: str = JOB) -> Run:
        """Go on with a run that was interrupted, to its end."""
        self._ended.pop(run.id, None)
        self.core.engine.start(Order(run=run, job=self.core.scheduler.job(job), stop=Stop()))
        return await self.clock.run(self._until_ended(run.id))

    async def _until_ended(self, run_id: int) -> Run:
        return await self._ending(run_id)

    def _ending(self, run_id: int) -> asyncio.Future[Run]:
        loop = asyncio.get_running_loop()
        return self._ended.setdefault(run_id, loop.create_future())

    async def pass_time(self, **duration: float) -> None:
        await self.clock.advance(timedelta(**duration).total_seconds())

    async def fetch(self, sql: str, *values: Any) -> list[Any]:
        """Ask PostgreSQL behind syncd's back."""
        async with self.core.database.connection() as connection:
            return list(await connection.fetch(sql, *values))

    async def stored(self, platform: str) -> dict[str, Any]:
        """Return the contests of a platform by its own ids."""
        rows = await self.fetch("SELECT * FROM contests WHERE platform = $1", platform)
        return {row["external_id"]: row for row in rows}

    async def share(self, run: Run, name: str) -> Any:
        """Return what a run came to on a platform."""
        return (await self.core.around.stores.runs.platform_reports([run.id]))[run.id][name].report


@asynccontextmanager
async def heralds(
    database: Database,
    folder: Path,
    clock: FakeClock,
    *,
    names: tuple[str, ...] = HERALDS,
    raw: Mapping[str, Mapping[str, str]] | None = None,
    **job: Any,
) -> AsyncIterator[Heralds]:
    """Serve stand-ins and bring up what config.toml builds over them; `job` are keys of both jobs.

    `raw` are lines of platforms' tables, written in TOML.
    """
    settings = database.settings
    standins = {name: STANDINS[name].make(_SEED, 3, clock=clock) for name in names}
    platforms = [name for name in names if name in SITES]
    async with AsyncExitStack() as stack:
        tables: dict[str, Mapping[str, Any]] = {
            "daemon": {"state_dir": "state"},
            "database": {
                "host": settings.address.host,
                "port": settings.address.port,
                "user": settings.address.user,
                "database": settings.address.database,
                "schema": settings.schema,
            },
        }
        for name, standin in standins.items():
            url = await stack.enter_async_context(serve(standin))
            tables[f"platforms.{name}"] = {
                **standin.addresses(url),
                "allow_private": True,
            }
        common = {"kind": "contests", "platforms": platforms, **job}
        tables[f"jobs.{JOB}"] = common
        tables[f"jobs.{NEAR}"] = {**common, "within": "24h"}
        file = folder / "config.toml"
        lines = {
            f"platforms.{name}": "".join(f"{key} = {text}\n" for key, text in each.items())
            for name, each in (raw or {}).items()
        }
        file.write_text(
            "\n".join(
                f"[{name}]\n{written(table)}{lines.get(name, '')}" for name, table in tables.items()
            )
        )
        file.chmod(0o600)
        config = load_config(file, {})
        config.daemon.state_dir.mkdir(mode=0o700, exist_ok=True)
        bus = Bus()
        core = await stack.enter_async_context(assemble(config, clock, bus, is_firing=False))
        core.gates.may_write = lambda: True
        world = Heralds(core, standins, clock)
        stack.enter_context(bus.subscribed(world.events.append))
        yield world
