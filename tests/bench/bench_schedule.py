"""Many jobs due in one second, and none for an hour: syncd beside a bare loop and APScheduler.

    python tests/bench/bench_schedule.py [repeats] [idle seconds]

Every way runs in a process of its own on asyncio's own loop, with the same settings of Python's
collector; the ways take turns, the tables show medians. A job's body does nothing.

ran, missed   of the fires of that second
first p50 max how late the bodies ran, in ms after the second
ended         when the last of it was over: for syncd, when the last run's row said so
ledger, told  CPU of the ledger's methods, and of log lines and counters; the rest is CPU less these
x late, x CPU the last body's lateness and the rest, of the bare loop's; claims are taken off too

The versions of APScheduler that packaging/apscheduler-*.lock name are installed into a temporary
folder; the two share their package's name, so neither belongs to syncd's own environment.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

from syncd.clock import SystemClock
from syncd.embedded.postgres import EmbeddedPostgres
from syncd.telemetry.bus import Bus

SIZES = (100, 1_000, 10_000)
IDLE_JOBS = 10_000
# The one look that syncd takes each minute, because wall clocks jump, belongs to being idle.
IDLE_SECONDS = 65
SYNCD = ("syncd-starts", "syncd-runs", "syncd-told", "syncd-postgres")
PEERS = {"aps3": 3, "aps3-patient": 3, "aps4": 4}
TITLES = {
    "bare": "bare heap, one timer",
    "syncd-starts": "syncd, starts only",
    "syncd-runs": "syncd, whole runs",
    "syncd-told": "syncd, with log and counters",
    "syncd-postgres": "syncd, over PostgreSQL",
    "aps3": "APScheduler 3",
    "aps3-patient": "APScheduler 3, grace None",
    "aps4": "APScheduler 4 (alpha)",
}
COLUMNS = (
    *("ran", "missed", "first", "p50", "max", "ended s", "CPU s", "ledger", "told", "RSS MB"),
    *("set-up s", "x late", "x CPU"),
)
HERE = Path(__file__).parent
Figure = Mapping[str, Any]


def installed(folder: Path) -> Iterator[int]:
    """Install the versions of APScheduler; a sentence tells of one that is left out."""
    for version in sorted(set(PEERS.values())):
        lock = HERE.parents[1] / "packaging" / f"apscheduler-{version}.lock"
        command = [sys.executable, "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
        command += [
            "--retries",
            "1",
            "--require-hashes",
            "--target",
            str(folder / str(version)),
            "-r",
            str(lock),
        ]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode == 0:
            yield version
        else:
            why = (done.stderr.strip().splitlines() or ["pip says nothing"])[-1]
            print(f"APScheduler {version} is left out, it could not be installed: {why}")


class Stage:
    """Starts the processes that are measured."""

    def __init__(self, folder: Path, address: str) -> None:
        self._folder = folder
        self._versions = set(installed(folder))
        self._address = address

    @property
    def ways(self) -> list[str]:
        peers = [name for name, version in PEERS.items() if version in self._versions]
        return ["bare", *SYNCD, *peers]

    async def measure(self, way: str, jobs: int, *what: object) -> Figure:
        """Return the figures of one way, or the problem it had."""
        path = [*sys.path[1:], *map(str, (HERE, HERE.parent, HERE.parents[1]))]
        if way in PEERS:
            path.insert(0, str(self._folder / str(PEERS[way])))
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, str(HERE / "schedule_stage.py"), way, str(jobs), *map(str, what)),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(path),
                "SYNCD_BENCH_POSTGRES": self._address,
            },
        )
        told, problem = await process.communicate()
        if process.returncode:
            return {"problem": (problem.decode().strip().splitlines() or ["it died"])[-1]}
        found: Figure = json.loads(told)
        return found


@contextlib.asynccontextmanager
async def stage(folder: Path) -> AsyncIterator[Stage]:
    async with EmbeddedPostgres(folder / "postgres", Bus(), SystemClock()) as server:
        yield Stage(folder, json.dumps(asdict(server.address)))


def of(figure: Figure, *words: str) -> float:
    """Return the CPU seconds of the parts whose names begin with one of the words."""
    parts: Mapping[str, float] = figure["parts"]
    return sum(x for name, x in parts.items() if name.startswith(words) and "clock" not in name)


def cells(figure: Figure, floor: Figure) -> list[float]:
    """Return a row of the table."""
    ledger, told = of(figure, "ledger"), of(figure, "log", "metrics")
    claims = sum(x for name, x in figure["parts"].items() if "claim" in name and "clock" in name)
    whole = [figure[name] for name in ("ran", "missed", "first", "p50", "max", "ended", "cpu")]
    late = (figure["max"] - claims * 1e3) / floor["max"]
    cpu = (figure["cpu"] - ledger - told) / floor["cpu"]
    return [*whole, ledger, told, figure["rss"], figure["set_up"], late, cpu]


def show_fire(jobs: int, rounds: Sequence[Mapping[str, Figure]]) -> None:
    """Print the table of one size; ratios are of the same round."""
    print(f"\n{f'{jobs:,} jobs due at once':30}" + "".join(f"{column:>9}" for column in COLUMNS))
    for way in rounds[0]:
        title = f"{TITLES[way]:30}"
        problems = [each[way]["problem"] for each in rounds if "problem" in each[way]]
        if problems:
            print(f"{title} {problems[0]}")
            continue
        several = [cells(each[way], each["bare"]) for each in rounds]
        middle = [median(column) for column in zip(*several, strict=True)]
        places = (0, 0, 1, 1, 1, 2, 3, 3, 3, 0, 2, 2, 2)
        print(title + "".join(f"{x:9,.{n}f}" for x, n in zip(middle, places, strict=True)))


def show_parts(jobs: int, rounds: Sequence[Mapping[str, Figure]]) -> None:
    """Print what the ledger and the subscribers cost a run; only a claim is waited for by all."""
    print(f"\nof these, CPU us a run, {jobs:,} jobs")
    for way in SYNCD:
        if "problem" in rounds[0][way]:
            continue
        parts = rounds[-1][way]["parts"]
        words = [
            f"{name.removeprefix('ledger.')} {seconds / jobs * 1e6:.1f}"
            for name, seconds in parts.items()
            if "clock" not in name and seconds / jobs > 1e-7
        ]
        claim = sum(x for name, x in parts.items() if "claim" in name and "clock" in name)
        print(f"{TITLES[way]:30} {', '.join(words)}; claims took {claim * 1e3:.0f} ms in all")


def show_idle(figures: Mapping[str, Figure]) -> None:
    """Print the table of being idle."""
    title = f"{IDLE_JOBS:,} jobs, none due soon"
    print(f"\n{title:30}{'wakes/s':>9}{'sleeps/s':>9}{'CPU %':>9}")
    for way, figure in figures.items():
        if "problem" in figure:
            print(f"{TITLES[way]:30} {figure['problem']}")
        else:
            wakes, sleeps, cpu = figure["wakes"], figure["switches"], figure["cpu"] * 100
            print(f"{TITLES[way]:30}{wakes:9.3f}{sleeps:9.3f}{cpu:9.4f}")


async def compare(repeats: int, idle_seconds: int, folder: Path) -> None:
    async with stage(folder) as processes:
        for jobs in SIZES:
            rounds = [
                {way: await processes.measure(way, jobs, "fire") for way in processes.ways}
                for _ in range(repeats)
            ]
            show_fire(jobs, rounds)
        show_parts(jobs, rounds)
        # They do nothing, so they may do it at the same time.
        idle = {
            way: processes.measure(way, IDLE_JOBS, "idle", idle_seconds) for way in processes.ways
        }
        found = await asyncio.gather(*idle.values())
        show_idle(dict(zip(idle, found, strict=True)))


def main() -> None:
    repeats, idle_seconds = [*map(int, sys.argv[1:]), *(3, IDLE_SECONDS)[len(sys.argv) - 1 :]][:2]
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(compare(repeats, idle_seconds, Path(folder)))
    print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
