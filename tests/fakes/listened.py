"""A whole syncd in virtual time over the stand-in of Spotify: what it stored and what it asked."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from fakes.clock import FakeClock
from fakes.spotify_world import SPOTIFY, SpotifyWorld, StoredPlay, doubles, plays_in

from syncd.daemon.core import Core, assemble
from syncd.daemon.settings import load_config
from syncd.jobs.stop import Stop
from syncd.model.address import PostgresAddress
from syncd.model.run import Run, RunOptions
from syncd.runs.runner import Order
from syncd.store.database import Database
from syncd.telemetry.bus import Bus
from syncd.telemetry.events import Event

JOB = "listening"
LAPSE = "UPDATE oauth_tokens SET refresh_until = now() WHERE refresh_until > now()"


def text_of(address: PostgresAddress, schema: str, platform: Mapping[str, Any], **job: Any) -> str:
    """A config file with one job, `listening`; `job` are keys of it."""
    tables = {
        "daemon": {"state_dir": "state"},
        "database": {
            "host": address.host,
            "port": address.port,
            "user": address.user,
            "database": address.database,
            "schema": schema,
        },
        "platforms.spotify": platform,
        f"jobs.{JOB}": {"kind": "listening", **job},
    }
    return "\n".join(f"[{name}]\n{written(table)}" for name, table in tables.items())


def written(table: Mapping[str, Any]) -> str:
    return "".join(f"{key} = {_toml(value)}\n" for key, value in table.items())


def _toml(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_toml(each)}" for key, each in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value)


class Listened:
    """Imports grants and runs the job over them; the clock is virtual and stands between runs."""

    def __init__(self, core: Core, world: SpotifyWorld, clock: FakeClock) -> None:
        self.core = core
        self.spotify = world
        self.clock = clock
        self.events: list[Event] = []
        self._ended: dict[int, asyncio.Future[Run]] = {}
        core.engine.on_end(lambda run: self._ending(run.id).set_result(run))

    @property
    def standin(self) -> Any:
        return self.spotify.standin

    @property
    def platform(self) -> Any:
        return self.core.around.platforms[SPOTIFY][0]

    def told(self, kind: type[Event]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    async def grant(self, indexes: Iterable[int], *, has_access: bool = False) -> None:
        """Import grants, as the platform's own site hands them over."""
        entries = self.spotify.entries(indexes, has_access=has_access)
        result = await self.core.around.stores.grants.put(entries, dry_run=False)
        assert not result.problems

    async def run(self, *only: str, **options: Any) -> Run:
        """Run the job a second later, to its end."""
        await self.clock.advance(1)
        return await self.clock.run(self._run(RunOptions(only=only, **options)))

    async def run_beside(self, *first: RunOptions) -> list[Run]:
        """Run the job several times at once, to the end of all."""
        await self.clock.advance(1)
        return await self.clock.run(self._run_all(first))

    async def _run_all(self, all_options: Iterable[RunOptions]) -> list[Run]:
        started = [
            await self.core.scheduler.trigger(JOB, options, is_beside=True)
            for options in all_options
        ]
        return [await self._ending(run.id) for run in started]

    async def _run(self, options: RunOptions) -> Run:
        run = await self.core.scheduler.trigger(JOB, options)
        return await self._ending(run.id)

    async def go_on(self, run: Run) -> Run:
        """Go on with a run that was interrupted, to its end."""
        job = self.core.scheduler.job(JOB)
        self.core.engine.start(Order(run=run, job=job, stop=Stop()))
        return await self.clock.run(self._until_ended(run.id))

    async def _until_ended(self, run_id: int) -> Run:
        return await self._ending(run_id)

    def _ending(self, run_id: int) -> asyncio.Future[Run]:
        loop = asyncio.get_running_loop()
        return self._ended.setdefault(run_id, loop.create_future())

    async def pass_time(self, **duration: float) -> None:
        await self.clock.advance(timedelta(**duration).total_seconds())

    async def lapse(self) -> None:
        """Let the time pass, by PostgreSQL's clock, that a refresh may take."""
        await self.fetch(LAPSE)

    async def plays(self) -> set[StoredPlay]:
        """Return what is stored, once it is proved that nothing is stored twice."""
        assert await doubles(self.core.database) == []
        return await plays_in(self.core.database)

    async def counts(self, run: Run) -> tuple[int, int, int, int]:
        """Return inserted, repeated, skipped and gaps of a run."""
        counts = await self.core.around.stores.listening.counts(run.id)
        return counts.inserted, counts.repeated, counts.skipped, counts.gaps

    async def fetch(self, sql: str, *values: Any) -> list[Any]:
        """Ask PostgreSQL behind syncd's back."""
        async with self.core.database.connection() as connection:
            return list(await connection.fetch(sql, *values))

    async def state(self, index: int) -> tuple[str, str]:
        """Return how somebody's account stands, and why."""
        [row] = await self.fetch(
            "SELECT state, state_reason FROM accounts JOIN users ON users.id = user_id"
            " WHERE users.key = $1",
            self.spotify.key(index),
        )
        return row["state"], row["state_reason"]


@asynccontextmanager
async def listened(
    database: Database,
    folder: Path,
    world: SpotifyWorld,
    clock: FakeClock,
    *,
    platform: Mapping[str, Any] | None = None,
    **job: Any,
) -> AsyncIterator[Listened]:
    """Bring up what `config.toml` builds, over `database`'s schema; `job` are keys of the job."""
    settings = database.settings
    table = world.settings(**(platform or {}))
    file = folder / "config.toml"
    file.write_text(text_of(settings.address, settings.schema, table, **job))
    file.chmod(0o600)
    config = load_config(file, {})
    config.daemon.state_dir.mkdir(mode=0o700, exist_ok=True)
    bus = Bus()
    async with assemble(config, clock, bus, is_firing=False) as core:
        core.gates.may_write = lambda: True
        found = Listened(core, world, clock)
        with bus.subscribed(found.events.append):
            yield found
