"""A profiles run over six coding platforms at once, beside a run over each of them alone.

    python tests/bench/bench_platforms.py [users] [faster] [repeats]

Platforms must not wait for each other: a run over all of them takes as long as the slowest one
takes alone. One syncd with a PostgreSQL of its own, every stand-in a process with 20 ms of latency,
and the limits that syncd has by itself, so many times faster (and those of the stand-ins with
them), so that limits and not the CPU decide: 250 users and 30 times faster make 17 seconds of eight
minutes. A first run fills the tables; then six runs, one platform each, and one of all six take
turns. The table shows medians: requests, seconds alone and in the run of all, until the last of its
accounts was stored, and their ratio. What exceeded a stand-in's limits is told.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import cast

import aiohttp

from syncd import plugins
from syncd.clock import SystemClock
from syncd.daemon.core import Core, assemble
from syncd.daemon.settings import load_config
from syncd.model.account import UserEntry
from syncd.model.run import Outcome, RunOptions
from syncd.platforms.base import Platform
from syncd.sandbox.base import StandIn
from syncd.store.migrate import migrate
from syncd.telemetry.bus import Bus
from syncd.telemetry.events import Event, ItemsCommitted

SEED = 7
LATENCY_MS = 20
NAMES = ("leetcode", "codeforces", "codechef", "atcoder", "hackerrank", "geeksforgeeks")
PLATFORMS = {name: cast("type[Platform]", plugins.load("syncd.platforms", name)) for name in NAMES}
STANDINS = {name: cast("type[StandIn]", plugins.load("syncd.sandbox", name)) for name in NAMES}
CONFIG = """
[daemon]
state_dir = "state"
{platforms}
[jobs.sync]
kind = "profiles"
platforms = [{names}]
claim = 5
"""
PLATFORM = """
[platforms.{name}]
base_url = "{url}"
allow_private = true
rate = "{rate}/h"
{urls}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """What one run came to on one platform: until its last account was stored."""

    accounts: int
    requests: int
    seconds: float


class Stopwatch:
    """Notes when each platform's newest accounts of the run under way were stored."""

    def __init__(self) -> None:
        self.began = perf_counter()
        self.seconds: dict[str, float] = {}

    def begin(self) -> None:
        self.seconds.clear()
        self.began = perf_counter()

    def note(self, event: Event) -> None:
        if isinstance(event, ItemsCommitted):
            self.seconds[event.platform] = perf_counter() - self.began


@contextlib.asynccontextmanager
async def standin(name: str, users: int, faster: float) -> AsyncIterator[str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "syncd.sandbox", name, "--population", str(users)),
        *("--seed", str(SEED), "--scale", str(faster), "--latency-ms", str(LATENCY_MS)),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        yield (await process.stdout.readline()).decode().strip()
    finally:
        process.terminate()
        await process.wait()


def settings_of(name: str, base_url: str, faster: float) -> str:
    """Return a platform's table: its own limits, so many times faster."""
    addresses = STANDINS[name].make(SEED, 1).addresses(base_url)
    rate = PLATFORMS[name].defaults.rate
    assert rate is not None
    urls = ", ".join(f'{key} = "{url}"' for key, url in addresses.get("urls", {}).items())
    return PLATFORM.format(
        name=name,
        url=addresses["base_url"],
        rate=round(rate.per_second * 3_600 * faster),
        urls=f"urls = {{ {urls} }}" if urls else "",
    )


@contextlib.asynccontextmanager
async def syncd_ready(folder: Path, platforms: str, users: int) -> AsyncIterator[tuple[Core, Bus]]:
    path, bus = folder / "config.toml", Bus()
    names = ", ".join(f'"{name}"' for name in NAMES)
    path.write_text(CONFIG.format(platforms=platforms, names=names))
    path.chmod(0o600)
    people = {name: STANDINS[name].make(SEED, users) for name in NAMES}
    entries = [
        UserEntry(key=f"u{index}", accounts={name: people[name].handle_of(index) for name in NAMES})
        for index in range(users)
    ]
    async with assemble(load_config(path, {}), SystemClock(), bus, is_firing=False) as core:
        await core.servers.start()
        await migrate(core.database)
        await core.users.put(entries)
        yield core, bus


async def measured(core: Core, watch: Stopwatch, platform: str = "") -> dict[str, Figure]:
    """Let syncd ask for everybody, on one platform or on all, as a person would: by a trigger."""
    watch.begin()
    started = await core.scheduler.trigger("sync", RunOptions(platform=platform, full=True))
    ended = await core.engine.end_of(started.id)
    assert ended is not None
    assert ended.outcome is Outcome.SUCCEEDED, ended
    shares = (await core.around.stores.runs.platform_reports([started.id]))[started.id]
    return {
        name: Figure(
            accounts=share.report.seen, requests=share.report.calls, seconds=watch.seconds[name]
        )
        for name, share in shares.items()
    }


async def refused(urls: Sequence[str]) -> int:
    """Return how many requests were too many for the stand-ins."""
    times = 0
    async with aiohttp.ClientSession() as session:
        for url in urls:
            async with session.get(f"{url}/_sandbox/counters") as response:
                times += sum((await response.json())["refused"].values())
    return times


async def compare(users: int, faster: float, repeats: int, folder: Path) -> None:
    alone: dict[str, list[Figure]] = {name: [] for name in NAMES}
    together: dict[str, list[Figure]] = {name: [] for name in NAMES}
    async with contextlib.AsyncExitStack() as stack:
        urls = {
            name: await stack.enter_async_context(standin(name, users, faster)) for name in NAMES
        }
        platforms = "".join(settings_of(name, url, faster) for name, url in urls.items())
        core, bus = await stack.enter_async_context(syncd_ready(folder, platforms, users))
        watch = Stopwatch()
        stack.enter_context(bus.subscribed(watch.note))
        await measured(core, watch)
        for _ in range(repeats):
            for name in NAMES:
                alone[name].append((await measured(core, watch, name))[name])
            for name, figure in (await measured(core, watch)).items():
                together[name].append(figure)
        show(alone, together, await refused([*urls.values()]))


def show(alone: dict[str, list[Figure]], together: dict[str, list[Figure]], too_many: int) -> None:
    print(
        f"{'platform':15}{'accounts':>9}{'requests':>9}{'alone s':>9}{'together s':>12}{'ratio':>7}"
    )
    for name in NAMES:
        one, other = alone[name], together[name]
        print(f"{name:15}{one[0].accounts:9,}{one[0].requests:9,}", end="")
        print(f"{seconds_of(one):9.2f}{seconds_of(other):12.2f}", end="")
        print(f"{seconds_of(other) / seconds_of(one):7.3f}")
    slowest = max(NAMES, key=lambda name: seconds_of(alone[name]))
    turns = zip(*together.values(), strict=True)
    wholes = [max(figure.seconds for figure in turn) for turn in turns]
    ratios = [whole / figure.seconds for whole, figure in zip(wholes, alone[slowest], strict=True)]
    print(
        f"all six: {median(wholes):.2f} s, {slowest} alone {seconds_of(alone[slowest]):.2f} s: "
        f"ratio {median(ratios):.3f} [{min(ratios):.3f}..{max(ratios):.3f}]"
    )
    print(f"requests that were too many: {too_many}")
    print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores", flush=True)


def seconds_of(figures: Sequence[Figure]) -> float:
    return median(figure.seconds for figure in figures)


def main() -> None:
    given = [*map(float, sys.argv[1:]), *(250.0, 30.0, 1.0)[len(sys.argv) - 1 :]]
    users, faster, repeats = int(given[0]), given[1], int(given[2])
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(compare(users, faster, repeats, Path(folder)))


if __name__ == "__main__":
    main()
