"""Fetch, parse and store profiles: syncd beside the replaced batches of 5 and a good plain loop.

    python tests/bench/bench_fetch.py [users]

One run, one machine, one PostgreSQL, the stand-in in a process of its own with 20 ms of latency and
limits that are never reached. Prints users a second, CPU of the client, and ratios.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import resource
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import aiohttp
import asyncpg

from syncd.clock import SystemClock
from syncd.daemon.core import assemble
from syncd.daemon.settings import load_config
from syncd.embedded.postgres import EmbeddedPostgres
from syncd.model.account import UserEntry
from syncd.model.address import PostgresAddress
from syncd.model.run import Run, RunOptions
from syncd.sandbox.population import Population
from syncd.store.migrate import migrate
from syncd.telemetry.bus import Bus

SEED = 7
LATENCY_MS = 20
WORKERS = 128
BATCH = 5
BATCHED_USERS = 1_000
HEADERS = {"Authorization": "Bearer bench", "User-Agent": "bench"}
TABLE = """
    CREATE TABLE IF NOT EXISTS plain (
        login text PRIMARY KEY, name text, avatar_url text, bio text, followers bigint,
        following bigint, public_repos bigint, raw jsonb NOT NULL
    )
"""
UPSERT = """
    INSERT INTO plain (login, name, avatar_url, bio, followers, following, public_repos, raw)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
    ON CONFLICT (login) DO UPDATE SET name = EXCLUDED.name, avatar_url = EXCLUDED.avatar_url,
        bio = EXCLUDED.bio, followers = EXCLUDED.followers, following = EXCLUDED.following,
        public_repos = EXCLUDED.public_repos, raw = EXCLUDED.raw
"""
CONFIG = """
[daemon]
state_dir = "state"
[platforms.github]
base_url = "{base_url}"
allow_private = true
rate = "100000/s"
burst = 1000
quota = ""
slots = {workers}
credentials = [{{ token = "bench-token-0123456789" }}]
[jobs.sync]
kind = "profiles"
platforms = ["github"]
claim = 1000
sweep = false
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """What one way of doing it cost."""

    name: str
    users: int
    seconds: float
    cpu_seconds: float

    @property
    def rate(self) -> float:
        return self.users / self.seconds

    @property
    def cpu_us(self) -> float:
        return self.cpu_seconds / self.users * 1e6


async def measured(name: str, users: int, work: Callable[[], Awaitable[object]]) -> Figure:
    gc.collect()
    before, began = resource.getrusage(resource.RUSAGE_SELF), perf_counter()
    await work()
    seconds, after = perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Figure(name=name, users=users, seconds=seconds, cpu_seconds=cpu)


def row_of(user: dict[str, object], text: str) -> tuple[object, ...]:
    keys = ("login", "name", "avatar_url", "bio", "followers", "following", "public_repos")
    return (*(user[key] for key in keys), text)


async def in_batches(base_url: str, pool: asyncpg.Pool, logins: list[str]) -> None:
    """Do as the replaced sync did: five at a time, each stored by a statement of its own."""
    async with aiohttp.ClientSession(headers=HEADERS) as session:

        async def one(login: str) -> None:
            async with session.get(f"{base_url}/users/{login}") as response:
                text = await response.text()
            await pool.execute(UPSERT, *row_of(json.loads(text), text))

        for first in range(0, len(logins), BATCH):
            await asyncio.gather(*(one(login) for login in logins[first : first + BATCH]))


async def in_a_plain_loop(base_url: str, pool: asyncpg.Pool, logins: list[str]) -> None:
    """Do as a good program does: a semaphore, json, executemany by 500."""
    gate, rows = asyncio.Semaphore(WORKERS), list[tuple[object, ...]]()
    connector = aiohttp.TCPConnector(limit=WORKERS)

    async def store() -> None:
        batch, rows[:] = rows[:], []
        async with pool.acquire() as connection:
            await connection.executemany(UPSERT, batch)

    async with aiohttp.ClientSession(headers=HEADERS, connector=connector) as session:

        async def one(login: str) -> None:
            async with gate, session.get(f"{base_url}/users/{login}") as response:
                text = await response.text()
            rows.append(row_of(json.loads(text), text))
            if len(rows) >= 500:
                await store()

        await asyncio.gather(*(one(login) for login in logins))
        await store()


@contextlib.asynccontextmanager
async def syncd_ready(
    folder: Path, base_url: str, logins: list[str]
) -> AsyncIterator[Callable[[], Awaitable[Run]]]:
    path = folder / "config.toml"
    path.write_text(CONFIG.format(base_url=base_url, workers=WORKERS))
    path.chmod(0o600)
    core = assemble(load_config(path, {}), SystemClock(), Bus(), is_firing=False)
    async with core:
        await core.servers.start()
        await migrate(core.database)
        users = [UserEntry(key=f"u{n}", accounts={"github": x}) for n, x in enumerate(logins)]
        await core.users.put(users)

        async def run() -> Run:
            started = await core.scheduler.trigger("sync", RunOptions())
            ended = await core.engine.end_of(started.id)
            assert ended is not None
            return ended

        yield run


@contextlib.asynccontextmanager
async def stand_in(users: int) -> AsyncIterator[str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "syncd.sandbox", "--population", str(users)),
        *("--seed", str(SEED), "--scale", "100000", "--latency-ms", str(LATENCY_MS)),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        yield (await process.stdout.readline()).decode().strip()
    finally:
        process.terminate()
        await process.wait()


def people(users: int) -> Iterator[str]:
    population = Population(SEED, users)
    return (population.login(n) for n in range(users) if "[" not in population.login(n))


async def connect(address: PostgresAddress) -> asyncpg.Pool:
    return await asyncpg.create_pool(
        host=address.host, port=address.port, user=address.user, database=address.database
    )


async def compare(users: int, folder: Path) -> list[Figure]:
    logins = list(people(users))
    async with stand_in(users) as base_url:
        async with EmbeddedPostgres(folder / "plain", Bus(), SystemClock()) as server:
            pool = await connect(server.address)
            async with pool:
                await pool.execute(TABLE)
                few = logins[:BATCHED_USERS]
                figures = [
                    await measured(
                        "batches of 5", len(few), lambda: in_batches(base_url, pool, few)
                    ),
                    await measured(
                        "plain loop", len(logins), lambda: in_a_plain_loop(base_url, pool, logins)
                    ),
                ]
        async with syncd_ready(folder, base_url, logins) as run:
            figures.append(await measured("syncd", len(logins), run))
            figures.append(await measured("syncd, all 304", len(logins), run))
    return figures


def show(figures: list[Figure]) -> None:
    plain = figures[1]
    print(
        f"{'':16}{'users/s':>10}{'us CPU':>10}{'x rate':>9}{'x CPU':>9}   (against the plain loop)"
    )
    for figure in figures:
        ratio, cpu = figure.rate / plain.rate, figure.cpu_us / plain.cpu_us
        print(f"{figure.name:16}{figure.rate:10,.0f}{figure.cpu_us:10.0f}{ratio:9.2f}{cpu:9.2f}")
    print(f"syncd : batches of 5 = {figures[2].rate / figures[0].rate:.1f}")


def main() -> None:
    users = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    try:
        import uvloop

        factory: Callable[[], asyncio.AbstractEventLoop] | None = uvloop.new_event_loop
    except ImportError:
        factory = None
    with tempfile.TemporaryDirectory() as folder, asyncio.Runner(loop_factory=factory) as runner:
        show(runner.run(compare(users, Path(folder))))


if __name__ == "__main__":
    main()
