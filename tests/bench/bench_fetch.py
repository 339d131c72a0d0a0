"""Fetch, parse and store profiles: syncd beside the replaced batches of 5 and good plain loops.

    python tests/bench/bench_fetch.py [users] [repeats] [slots ...]

One machine, one PostgreSQL with the same tables for all, the light GitHub of `hub.py` in a process
of its own with 20 ms of latency, uvloop for all where it is installed, and for all the same number
of requests at a time: a table for each (128, 256, 512). The ways take turns and a table shows
medians: users a second, CPU of the client and of PostgreSQL in us a user, and ratios to what ran
in the same turn, with the least and the most of them. What each of them stored is compared, so
nobody is fast by leaving something out.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import resource
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter

import asyncpg
from fetch_peers import Target, in_a_loop, in_a_whole_loop, in_batches

from syncd.clock import SystemClock
from syncd.daemon.collector import calm_collector
from syncd.daemon.core import Core, assemble
from syncd.daemon.settings import load_config
from syncd.model.account import UserEntry
from syncd.model.run import Outcome, RunOptions
from syncd.sandbox.person import AccountType
from syncd.sandbox.population import Population
from syncd.store.migrate import migrate
from syncd.telemetry.bus import Bus

SEED = 7
LATENCY_MS = 20
BATCHED_USERS = 500
SLOTS = (128, 256, 512)
BATCHES, PLAIN = "batches of 5", "plain loop, same rows"
CONFIG = """
[daemon]
state_dir = "state"
[platforms.github]
base_url = "{base_url}"
allow_private = true
rate = "100000/s"
burst = 1000
quota = ""
slots = {slots}
credentials = [{{ token = "bench-token-0123456789" }}]
[jobs.sync]
kind = "profiles"
platforms = ["github"]
claim = 2000
sweep = false
"""
RESET = """
    TRUNCATE profiles, item_outcomes, sync_state;
    UPDATE accounts SET external_id = NULL, handle = linked_as;
    INSERT INTO sync_state (account_id, kind, platform)
    SELECT id, 'profiles', platform FROM accounts;
"""
TARGETS = """
    SELECT accounts.id, users.key, accounts.handle
    FROM accounts JOIN users ON users.id = accounts.user_id ORDER BY accounts.id
"""
POSTMASTER = "SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1)::integer"
# What must be the same whoever wrote it: answers and what is derived from them.
PROFILES = """
    SELECT count(*), md5(string_agg(concat_ws('|', account_id, name, avatar_url, bio, followers,
        following, public_repos, raw), '' ORDER BY account_id))
    FROM profiles
"""
STATES = """
    SELECT count(*), md5(string_agg(concat_ws('|', accounts.id, accounts.external_id,
        accounts.handle, sync_state.etag, sync_state.outcome, item_outcomes.outcome), ''
        ORDER BY accounts.id))
    FROM accounts
    JOIN sync_state ON sync_state.account_id = accounts.id AND sync_state.succeeded_at IS NOT NULL
    JOIN item_outcomes ON item_outcomes.account_id = accounts.id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """What one way of doing it cost, once."""

    users: int
    seconds: float
    client_seconds: float
    server_seconds: float

    @property
    def rate(self) -> float:
        return self.users / self.seconds

    @property
    def client_us(self) -> float:
        return self.client_seconds / self.users * 1e6

    @property
    def server_us(self) -> float:
        return self.server_seconds / self.users * 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A way to do it; `stores` are the queries in whose answers it must agree with others."""

    name: str
    users: int
    work: Callable[[], Awaitable[object]]
    stores: tuple[str, ...] = ()
    is_fresh: bool = True
    is_syncd: bool = False


def own_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def postgres_cpu(postmaster: int) -> float:
    """Return the CPU of a server and all its processes, living and ended."""
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            is_server = int(stat.parent.name) == postmaster
            if is_server or int(fields[1]) == postmaster:
                ticks += sum(map(int, fields[11 : 15 if is_server else 13]))
    return ticks / os.sysconf("SC_CLK_TCK")


async def measured(way: Way, postmaster: int) -> Figure:
    # Nobody pays for what others have loaded; syncd's thresholds are a part of syncd.
    calm_collector()
    if not way.is_syncd:
        gc.set_threshold(700, 10, 10)
    server, client, began = postgres_cpu(postmaster), own_cpu(), perf_counter()
    await way.work()
    seconds = perf_counter() - began
    return Figure(
        users=way.users,
        seconds=seconds,
        client_seconds=own_cpu() - client,
        server_seconds=postgres_cpu(postmaster) - server,
    )


@contextlib.asynccontextmanager
async def syncd_ready(
    folder: Path, base_url: str, logins: Sequence[str], slots: int
) -> AsyncIterator[Core]:
    path = folder / "config.toml"
    path.write_text(CONFIG.format(base_url=base_url, slots=slots))
    path.chmod(0o600)
    core = assemble(load_config(path, {}), SystemClock(), Bus(), is_firing=False)
    async with core:
        await core.servers.start()
        await migrate(core.database)
        await core.users.put(
            [UserEntry(key=f"u{n}", accounts={"github": x}) for n, x in enumerate(logins)]
        )
        yield core


async def run_once(core: Core, users: int, *, saved: int = 0) -> None:
    """Let syncd do it, as a person would: by a trigger."""
    started = await core.scheduler.trigger("sync", RunOptions())
    ended = await core.engine.end_of(started.id)
    assert ended is not None
    assert ended.outcome is Outcome.SUCCEEDED, ended
    assert (ended.report.seen, ended.report.saved) == (users, saved), ended.report


@contextlib.asynccontextmanager
async def hub(users: int) -> AsyncIterator[str]:
    program = Path(__file__).with_name("hub.py")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(program), str(users), str(SEED), str(LATENCY_MS)),
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
    for index in range(users):
        if population.account_type(index) is AccountType.USER:
            yield population.login(index)


@contextlib.asynccontextmanager
async def pool_of(core: Core) -> AsyncIterator[asyncpg.Pool]:
    """Connect the peers to syncd's own database and schema."""
    address = core.database.settings.address
    async with asyncpg.create_pool(
        host=address.host,
        port=address.port,
        user=address.user,
        password=address.password or None,
        database=address.database,
        server_settings={"search_path": core.database.settings.schema},
    ) as pool:
        yield pool


async def ways(base_url: str, core: Core, pool: asyncpg.Pool, slots: int) -> list[Way]:
    targets = [Target(*row) for row in await pool.fetch(TARGETS)]
    few, count = targets[:BATCHED_USERS], len(targets)
    whole = (PROFILES, STATES)
    return [
        Way(name=BATCHES, users=len(few), work=lambda: in_batches(base_url, pool, few)),
        Way(
            name="plain loop, profiles only",
            users=count,
            work=lambda: in_a_loop(base_url, pool, targets, slots),
            stores=(PROFILES,),
        ),
        Way(
            name=PLAIN,
            users=count,
            work=lambda: in_a_whole_loop(base_url, pool, targets, slots),
            stores=whole,
        ),
        Way(
            name="syncd",
            users=count,
            work=lambda: run_once(core, count),
            stores=whole,
            is_syncd=True,
        ),
        Way(
            name="syncd, all 304",
            users=count,
            work=lambda: run_once(core, count, saved=count),
            stores=(PROFILES,),
            is_fresh=False,
            is_syncd=True,
        ),
    ]


async def compare(users: int, repeats: int, slots: int, folder: Path) -> dict[str, list[Figure]]:
    figures: dict[str, list[Figure]] = {}
    stored: dict[str, object] = {}
    async with (
        hub(users) as base_url,
        syncd_ready(folder, base_url, list(people(users)), slots) as core,
        pool_of(core) as pool,
    ):
        postmaster = await pool.fetchval(POSTMASTER)
        for _ in range(repeats):
            for way in await ways(base_url, core, pool, slots):
                if way.is_fresh:
                    await pool.execute(RESET)
                    await pool.execute("VACUUM ANALYZE")
                figures.setdefault(way.name, []).append(await measured(way, postmaster))
                for query in way.stores:
                    found = tuple(await pool.fetchrow(query))
                    assert stored.setdefault(query, found) == found, f"{way.name}: {found}"
    return figures


def spread(values: Sequence[float]) -> str:
    return f"{median(values):8.2f} [{min(values):.2f}..{max(values):.2f}]"


def show(slots: int, figures: dict[str, list[Figure]]) -> None:
    print(f"{f'{slots} at a time':27}{'users/s':>9}{'client us':>11}{'PG us':>7}", end="")
    print(f"{'x batches':>11}{'x same rows':>22}{'x its CPU':>22}")
    batched, plain = figures[BATCHES], figures[PLAIN]
    for name, several in figures.items():
        print(f"{name:27}", end="")
        for what, width in (("rate", 9), ("client_us", 11), ("server_us", 7)):
            print(f"{median(getattr(one, what) for one in several):{width},.0f}", end="")
        times = [one.rate / other.rate for one, other in zip(several, batched, strict=True)]
        rates = [one.rate / other.rate for one, other in zip(several, plain, strict=True)]
        costs = [one.client_us / other.client_us for one, other in zip(several, plain, strict=True)]
        print(f"{median(times):11.1f}{spread(rates):>22}{spread(costs):>22}")
    print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores", flush=True)


def main() -> None:
    users, repeats, *several = [*map(int, sys.argv[1:]), *(10_000, 3)[len(sys.argv) - 1 :]]
    try:
        import uvloop

        factory: Callable[[], asyncio.AbstractEventLoop] | None = uvloop.new_event_loop
    except ImportError:
        factory = None
    for slots in several or SLOTS:
        with (
            tempfile.TemporaryDirectory() as folder,
            asyncio.Runner(loop_factory=factory) as runner,
        ):
            show(slots, runner.run(compare(users, repeats, slots, Path(folder))))


if __name__ == "__main__":
    main()
