"""Who is due for which contest: syncd beside the replaced loop and a bare insertion; then sending.

    python tests/bench/bench_notify.py [USERS [CONTESTS]] [--full] [--turns T] [--without-loop]

Real PostgreSQL. The replaced loop asks for the contests of one user after the other and inserts a
row at a time; the bare insertion copies the very rows that syncd makes out of a table, all at once,
into the same empty table with the same indexes. They take turns in one run, and who is first
alternates; ratios are those of the same turn. All of them make the same rows, which is checked.
Then deliveries are sent, in a fresh process for each number of them, over a channel that takes
everything at once: its memory shows whether it grows with what is due. --full: 100,000 users, 200
contests. Nothing is asserted on time.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench_scores import database
from notify_sending import send_in_child
from notify_stage import Arena

FULL = (100_000, 200)
FIRST_OF_SENDING = 5


async def timed(work: Callable[[], Awaitable[None]]) -> float:
    begun = time.perf_counter()
    await work()
    return time.perf_counter() - begun


def told(name: str, seconds: list[float], rows: int, note: str = "") -> None:
    spread = f"{median(seconds):8.3f} s [{min(seconds):.3f}..{max(seconds):.3f}]"
    print(f"{name:24}{spread:34}{rows:>9,} rows  {note}", flush=True)


async def take_turn(arena: Arena, turn: int, seconds: dict[str, list[float]]) -> int:
    """Let syncd and the bare insertion make the same rows; return how many."""
    ways = {"syncd": arena.arm, "bare insertion": arena.insert}
    for name in sorted(ways, reverse=bool(turn % 2)):
        await arena.empty()
        seconds[name].append(await timed(ways[name]))
        if name == "syncd":
            made = await arena.count()
            seconds["syncd, a second run"].append(await timed(arena.arm))
            assert await arena.count() == made, "a second run makes nothing"
        assert await arena.count_of_ready() == await arena.count(), f"{name} makes the same rows"
    return made


async def compare(arena: Arena, turns: int, *, with_loop: bool) -> int:
    seconds: dict[str, list[float]] = defaultdict(list)
    await arena.arm()
    await arena.keep_rows()
    for turn in range(turns):
        rows = await take_turn(arena, turn, seconds)
    ratios = [a / b for a, b in zip(seconds["syncd"], seconds["bare insertion"], strict=True)]
    told("bare insertion", seconds["bare insertion"], rows)
    told(
        *("syncd", seconds["syncd"], rows),
        f"{median(ratios):.2f} of bare insertion [{min(ratios):.2f}..{max(ratios):.2f}]",
    )
    told("syncd, a second run", seconds["syncd, a second run"], 0)
    if with_loop:
        await compare_loop(arena)
    return rows


async def compare_loop(arena: Arena) -> None:
    """The replaced loop, between two turns of syncd: the machine may be another after it."""
    beside: list[float] = []
    for way in (arena.arm, arena.loop, arena.arm):
        await arena.empty()
        beside.append(await timed(way))
        rows = await arena.count()
        assert await arena.count_of_ready() == rows, "all make the same rows"
    before, loop, after = beside
    told(
        *("replaced loop", [loop], rows),
        f"syncd is {loop / before:.0f}x as fast before it, {loop / after:.0f}x after it",
    )


async def send(arena: Arena, host: str, rows: int) -> None:
    """Send a fifth of what is due, then all of it: the second may take no more memory."""
    grown: list[float] = []
    for deliveries in (rows // FIRST_OF_SENDING, rows):
        await arena.empty()
        sent = await send_in_child(host, deliveries)
        grown.append(sent.peak - sent.resident)
        print(
            f"sending, 100 slots: {sent.deliveries:,} in {sent.seconds:.1f} s,"
            f" {sent.deliveries / sent.seconds:,.0f}/s, {sent.resident:.1f} MB before,"
            f" {sent.peak:.1f} MB at most, loop held {sent.longest_block * 1e3:.0f} ms at most",
            flush=True,
        )
    print(f"{FIRST_OF_SENDING} times as many deliveries: {grown[1] - grown[0]:+.1f} MB")


async def main(arguments: argparse.Namespace) -> None:
    users, contests = FULL if arguments.full else (arguments.users, arguments.contests)
    async with database() as opened:
        arena = Arena(opened, datetime.now(UTC).replace(microsecond=0))
        await arena.fill(users, contests)
        print(f"{users:,} users, {contests:,} contests")
        rows = await compare(arena, arguments.turns, with_loop=not arguments.without_loop)
        await send(arena, opened.settings.address.host, rows)


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("users", type=int, nargs="?", default=20_000)
    parser.add_argument("contests", type=int, nargs="?", default=FULL[1])
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--without-loop", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    asyncio.run(main(parsed()))
