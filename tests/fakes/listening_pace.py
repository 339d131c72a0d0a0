"""How fast, how large and how talkative a run of the listening kind is, at any size.

Spotify is a process of its own; syncd is this one, with a PostgreSQL of its own. Grants are made
here: tokens of a stand-in are made from its seed, so a twin of it knows them.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from fakes.daemon_config import to_toml
from fakes.spotify_world import SEED, SPOTIFY, SpotifyWorld

from syncd.clock import SystemClock
from syncd.daemon.core import Core, assemble
from syncd.daemon.settings import load_config
from syncd.model.forecast import Forecast
from syncd.model.play import PlayCounts
from syncd.model.run import Run, RunOptions
from syncd.store.migrate import migrate
from syncd.telemetry.bus import Bus
from syncd.telemetry.events import Event, ItemsCommitted

JOB = "listening"
CLAIM = 100
AT_ONCE = 1_000
NEW_SHARE = 5
"""One user of so many has new plays."""

# A transaction for each that is none's part; all that a run does at PostgreSQL is counted by it.
TALK = """
    SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()
"""
FLUSH = "SELECT pg_stat_force_next_flush()"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One run: what it took, and what it came to."""

    users: int
    rate: float
    seconds: float
    megabytes_at_begin: float
    megabytes_at_end: float
    transactions: int
    pages: int
    refreshes: int
    run: Run
    plays: PlayCounts
    forecast: Forecast

    @property
    def pace(self) -> float:
        """Return users a second as a share of what the limiter lets through."""
        return (self.users - 1) / self.seconds / self.rate


class Pace:
    """A syncd and a Spotify with so many users, every one of whom granted something."""

    def __init__(self, folder: Path, users: int, url: str, session: aiohttp.ClientSession) -> None:
        self.folder = folder
        self.users = users
        self._url = url
        self._session = session
        # Knows all tokens that the process knows, and answers nobody.
        self._twin = SpotifyWorld(users)
        self._twin.base_url = url

    @asynccontextmanager
    async def syncd(self, rate: float) -> AsyncIterator[tuple[Core, Bus]]:
        """Bring up what a config file builds, with this many calls a second."""
        path, bus = self.folder / "config.toml", Bus()
        platform = self._twin.settings(rate=f"{round(rate * 60)}/min", burst=1, slots=10)
        tables = {
            "daemon": {"state_dir": "state"},
            f"platforms.{SPOTIFY}": platform,
            f"jobs.{JOB}": {"kind": "listening", "claim": CLAIM},
        }
        path.write_text(to_toml(tables))
        path.chmod(0o600)
        async with assemble(load_config(path, {}), SystemClock(), bus, is_firing=False) as core:
            await core.servers.start()
            await migrate(core.database)
            yield core, bus

    async def grant(self, core: Core, *, has_access: bool = True) -> None:
        for start in range(0, self.users, AT_ONCE):
            people = range(start, min(start + AT_ONCE, self.users))
            entries = self._twin.entries(people, has_access=has_access)
            result = await core.around.stores.grants.put(entries, dry_run=False)
            assert not result.problems

    async def listen(self) -> None:
        """Let one user of five hear three tracks."""
        for index in range(0, self.users, NEW_SHARE):
            await self._change("listen", index=index, times=3)

    async def _change(self, change: str, **arguments: Any) -> None:
        body = {"change": change, **arguments}
        async with self._session.post(f"{self._url}/_sandbox/change", json=body) as response:
            assert response.status == 200, await response.text()

    async def counters(self) -> dict[str, Any]:
        async with self._session.get(f"{self._url}/_sandbox/counters") as response:
            return dict(await response.json())

    async def measured(self, core: Core, bus: Bus, rate: float) -> Figure:
        """Let syncd ask for everybody."""
        work = core.scheduler.job(JOB).work
        forecast = await work.forecast(core.around)
        assert forecast is not None
        await self._change("clear_counters")
        begun, sizes = await _talk(core), list[float]()

        def weigh(event: Event) -> None:
            if isinstance(event, ItemsCommitted):
                sizes.append(megabytes())

        gc.collect()
        with bus.subscribed(weigh):
            started = await core.scheduler.trigger(JOB, RunOptions())
            run = await core.engine.end_of(started.id)
        assert run is not None
        assert run.started_at is not None
        assert run.finished_at is not None
        talk = await _talk(core) - begun
        return Figure(
            users=self.users,
            rate=rate,
            seconds=(run.finished_at - run.started_at).total_seconds(),
            # When all that is held has been held once.
            megabytes_at_begin=sizes[len(sizes) // 5],
            megabytes_at_end=sizes[-1],
            transactions=talk,
            pages=len(sizes),
            refreshes=int((await self.counters())["refresh_calls"]),
            run=run,
            plays=await core.around.stores.listening.counts(run.id),
            forecast=forecast,
        )


async def _talk(core: Core) -> int:
    """Return how many transactions there have been; what asking adds is the same each time."""
    async with core.database.connection() as connection:
        # Each backend tells by itself, at most once a second.
        await asyncio.sleep(1.1)
        await connection.execute(FLUSH)
        await asyncio.sleep(0.1)
        return int(await connection.fetchval(TALK))


def megabytes() -> float:
    """Return how much memory this process has in use."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


@asynccontextmanager
async def pace_of(folder: Path, users: int) -> AsyncIterator[Pace]:
    """Start Spotify with so many users."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "syncd.sandbox", SPOTIFY, "--seed", str(SEED)),
        *("--population", str(users), "--scale", "1000"),
        stdout=PIPE,
    )
    assert process.stdout is not None
    (folder / "state").mkdir(mode=0o700, exist_ok=True)
    try:
        url = (await process.stdout.readline()).decode().strip()
        async with aiohttp.ClientSession() as session:
            yield Pace(folder, users, url, session)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


def told(figure: Figure) -> str:
    """Return a figure in words."""
    run, plays = figure.run.report, figure.plays
    counts = {"updated": run.updated, "created": run.created, "unchanged": run.unchanged}
    return json.dumps(
        {
            "users": figure.users,
            **counts,
            "inserted": plays.inserted,
            "seconds": round(figure.seconds, 2),
            "forecast": round(figure.forecast.seconds, 1),
            "pace": round(figure.pace, 4),
            "MB": [round(figure.megabytes_at_begin, 1), round(figure.megabytes_at_end, 1)],
            "pages": figure.pages,
            "transactions a page": round(figure.transactions / figure.pages, 2),
            "refreshes": figure.refreshes,
        }
    )
