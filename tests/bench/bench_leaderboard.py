"""Boards of Redis into a table: syncd beside the replaced loop, a good peer and the limit.

    python tests/bench/bench_leaderboard.py [--full] [--users N ...] [--repeats R] [--ways WAY ...]

100, 10,000 and 100,000 users on four boards; `--full` adds 1,000,000. The embedded Valkey and
PostgreSQL serve all; each turn is a fresh process; the ways take turns, and ratios are those of
ways of the same turn. After every turn the table is compared with the boards, so that nobody is
fast by leaving something out. `limit` is the bare transfer of all boards and lines, on connections
that are open already, `same bytes` that of just what syncd asks; the other ways pay for their
connections. `core` and `whole run` have rehearsed once in their
process, as a daemon has; `first run` has not. Memory is what a process grew by at its peak,
block the longest time its loop got to nobody, PING the longest one of another client of Redis. The
machine's load hardly touches CPU: that of the way itself, and that of both servers for it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench_fetch import postgres_cpu
from leaderboard_peers import PEERS
from leaderboard_stage import (
    SCENARIOS,
    Pings,
    Table,
    boards_digest,
    connect,
    fill_boards,
    servers,
    valkey_cpu,
)
from leaderboard_syncd import OURS

SIZES, FULL_SIZE = (100, 10_000, 100_000), 1_000_000
WAYS = tuple(name for name, _ in (*PEERS, *OURS))
LOOP, LIMIT, SAME = "replaced loop", "limit", "same bytes"
LOOP_USERS = 10_000
"""The most users for whom the loop's minutes are worth it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """What one way cost in one turn; MB, seconds and bytes."""

    seconds: float
    cpu: float
    servers_cpu: float
    memory: float
    block: float
    ping: float
    wal: int


Figures = dict[tuple[str, str], list[Figure]]


class Arena:
    """The servers with their data, and the turns on them."""

    def __init__(self, host: str, socket: str, table: Table, pings: Pings) -> None:
        self._host = host
        self._socket = socket
        self._table = table
        self._pings = pings
        self._boards: tuple[int, ...] = ()
        self._users = self._postmaster = 0

    async def fill(self, users: int) -> None:
        """Let there be so many users."""
        self._users, self._postmaster = users, await self._table.postmaster()
        await asyncio.to_thread(fill_boards, self._socket, users)
        await self._table.make_base(users)
        self._boards = boards_digest(self._socket)

    async def turn(self, way: str, scenario: str) -> Figure:
        """Let one way have its turn; its result is checked."""
        await self._table.prepare(scenario)
        program = str(Path(__file__).with_name("leaderboard_turn.py"))
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, program, way, self._host, self._socket, str(self._users)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdout is not None
        await process.stdout.readline()
        # What a rehearsal touched is logged anew, as an hour later it would be.
        await self._table.checkpoint()
        wal, busy = await self._table.wal(), self._servers_cpu()
        self._pings.longest()
        cost, _ = await process.communicate(b"\n")
        ping = self._pings.longest()
        wal, busy = await self._table.wal() - wal, self._servers_cpu() - busy
        assert process.returncode == 0, f"{way} failed"
        assert await self._table.digest() == self._boards, f"{way}, {scenario}: table != boards"
        return Figure(wal=wal, servers_cpu=busy, ping=ping, **json.loads(cost))

    def _servers_cpu(self) -> float:
        return postgres_cpu(self._postmaster) + valkey_cpu(self._socket)


async def compare(arena: Arena, ways: Sequence[str], repeats: int) -> Figures:
    figures: Figures = defaultdict(list)
    for repeat in range(repeats):
        for scenario in SCENARIOS:
            # Whoever comes later finds the machine in another state.
            first = repeat % len(ways)
            for way in (*ways[first:], *ways[:first]):
                figure = await arena.turn(way, scenario)
                figures[scenario, way].append(figure)
                print(f"{scenario}, {way}: {figure.seconds:.3f} s", file=sys.stderr, flush=True)
    return figures


def ratios(several: Sequence[Figure], others: Sequence[Figure]) -> str:
    """Return the median of the ratios of the same turns, the least and the most."""
    values = [one.seconds / other.seconds for one, other in zip(several, others, strict=True)]
    return f"{median(values):.3g} [{min(values):.3g}..{max(values):.3g}]"


def show(users: int, ways: Sequence[str], figures: Figures) -> None:
    print(f"\n{users:,} users".ljust(29), end="")
    print(f"{'wall ms':>28}{': limit':>22}{': same bytes':>22}{'loop :':>22}", end="")
    print(f"{'CPU ms':>9}{'servers':>9}{'MB':>7}{'block ms':>10}{'PING ms':>9}{'WAL kB':>9}")
    for scenario in SCENARIOS:
        for way in ways:
            several = figures[scenario, way]
            show_way(f"{scenario}, {way}", several)
            for other, is_over in ((LIMIT, True), (SAME, True), (LOOP, False)):
                pair = (several, figures[scenario, other]) if other in ways else None
                text = "" if pair is None else ratios(*(pair if is_over else pair[::-1]))
                print(f"{text:>22}", end="")
            show_costs(several)


def show_way(name: str, several: Sequence[Figure]) -> None:
    times = [figure.seconds * 1e3 for figure in several]
    spread = f"{median(times):,.1f} [{min(times):,.1f}..{max(times):,.1f}]"
    print(f"{name:28}{spread:>28}", end="")


def show_costs(several: Sequence[Figure]) -> None:
    def middle(field: str) -> float:
        return median(getattr(figure, field) for figure in several)

    print(f"{middle('cpu') * 1e3:9,.1f}{middle('servers_cpu') * 1e3:9,.0f}", end="")
    print(f"{middle('memory'):7.1f}{middle('block') * 1e3:10.1f}", end="")
    print(f"{middle('ping') * 1e3:9.1f}{middle('wal') / 1e3:9,.0f}", flush=True)


async def main(arguments: argparse.Namespace) -> None:
    """Take all turns and print a table for each size."""
    sizes = arguments.users or (*SIZES, *([FULL_SIZE] if arguments.full else []))
    with tempfile.TemporaryDirectory(prefix="syncd-bench-") as folder:
        async with servers(Path(folder)) as (host, socket):
            pings, connection = Pings(socket), await connect(host)
            arena = Arena(host, socket, Table(connection), pings)
            try:
                for users in sizes:
                    ways = [w for w in arguments.ways if w != LOOP or users <= LOOP_USERS]
                    await arena.fill(users)
                    show(users, ways, await compare(arena, ways, arguments.repeats))
                    load = os.getloadavg()[0]
                    print(f"load of the machine: {load:.1f} on {os.cpu_count()} cores", flush=True)
            finally:
                pings.close()
                await connection.close()


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--users", type=int, nargs="+")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS)
    return parser.parse_args()


if __name__ == "__main__":
    asyncio.run(main(parsed()))
