"""Keep a rate for 1,000 waiters: the gate beside the loops people write and two packages.

    python tests/bench/bench_limiter.py [seconds] [repeats]

use     grants after the first second, of those the rate allows
1s      the most grants in any one second, of those the rate allows in one
cancel  time until the rest is served after half of a queue was cancelled, of the time it needs;
        2: what the cancelled had taken is lost
inv     share of the grants that came after a later caller's
us      CPU of a grant; at 50/s mostly the making of 1,000 waiters
Jain    how evenly the waiters were served, 1: as evenly as can be

One process, ways in turns, medians. aiolimiter and pyrate-limiter are of the extra `dev`; where
they are not installed they are left out.
"""

from __future__ import annotations

import asyncio
import gc
import os
import resource
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from time import monotonic

from limiter_peers import PEERS, Take

from syncd.clock import SystemClock
from syncd.outbound.gate import Gate
from syncd.outbound.limits import Limits
from syncd.telemetry.bus import Bus

WAITERS = 1_000
RATES = (50.0, 5_000.0)
# Longer than this nobody waits for the rest of a queue.
GIVE_UP = 8.0
COLUMNS = ("use", "1s", "cancel", "inv", "us", "Jain")


@dataclass(frozen=True, slots=True)
class Grant:
    """A permit: when, to which waiter, and the how many-eth call it answers."""

    at: float
    waiter: int
    call: int


def through_the_gate(rate: float) -> Take:
    """Pass the gate as a request does that ends at once."""
    limits = Limits(rate=rate, slots=10 * WAITERS)
    gate = Gate("bench", "default", limits, clock=SystemClock(), bus=Bus())

    async def take() -> None:
        async with gate.passage():
            pass

    return take


WAYS: dict[str, Callable[[float], Take]] = {"syncd, gate": through_the_gate, **PEERS}


async def waited_for(take: Take, seconds: float) -> tuple[list[Grant], float, float]:
    """Let everybody ask again and again; return the grants, the beginning and the CPU used."""
    grants: list[Grant] = []
    calls = 0

    async def ask(waiter: int) -> None:
        nonlocal calls
        while True:
            calls += 1
            call = calls
            await take()
            grants.append(Grant(monotonic(), waiter, call))
            # A limiter that grants without waiting must not keep the others from asking.
            await asyncio.sleep(0)

    gc.collect()
    used, began = cpu(), monotonic()
    tasks = [asyncio.create_task(ask(n)) for n in range(WAITERS)]
    await asyncio.sleep(seconds)
    used = cpu() - used
    await ended(tasks)
    return grants, began, used


async def rest_after_cancelling(take: Take, rate: float) -> float:
    """Cancel every second of a queue that waits; return how long the others take, of the ideal."""
    drained = asyncio.create_task(drain(take))
    await asyncio.sleep(1.0)
    await ended([drained])
    queue = min(WAITERS, int(rate))
    tasks = [asyncio.create_task(once(take)) for _ in range(queue)]
    await asyncio.sleep(0)
    began = monotonic()
    await ended(tasks[::2])
    ideal = len(tasks[1::2]) / rate
    _, late = await asyncio.wait(tasks[1::2], timeout=ideal * GIVE_UP)
    await ended(late)
    return (monotonic() - began) / ideal


async def once(take: Take) -> None:
    await take()


async def drain(take: Take) -> None:
    """Use up what was saved for a burst."""
    while True:
        await take()
        await asyncio.sleep(0)


async def ended(tasks: Sequence[asyncio.Task[None]] | set[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def densest_second(times: Sequence[float]) -> int:
    most = first = 0
    for last, at in enumerate(times):
        while times[first] <= at - 1.0:
            first += 1
        most = max(most, last - first + 1)
    return most


def inversions(grants: Sequence[Grant]) -> float:
    latest = late = 0
    for grant in grants:
        late += grant.call < latest
        latest = max(latest, grant.call)
    return late / len(grants)


def evenness(grants: Sequence[Grant]) -> float:
    counts = [0] * WAITERS
    for grant in grants:
        counts[grant.waiter] += 1
    each, more = divmod(len(grants), WAITERS)
    best = more * (each + 1) ** 2 + (WAITERS - more) * each**2
    return best / sum(count**2 for count in counts)


async def measured(make: Callable[[float], Take], rate: float, seconds: float) -> list[float]:
    grants, began, used = await waited_for(make(rate), seconds)
    late = [grant for grant in grants if 1.0 < grant.at - began <= seconds]
    return [
        len(late) / (rate * (seconds - 1.0)),
        densest_second([grant.at for grant in grants]) / rate,
        await rest_after_cancelling(make(rate), rate),
        inversions(grants),
        used / len(grants) * 1e6,
        evenness(grants),
    ]


async def compare(rate: float, seconds: float, repeats: int) -> dict[str, list[list[float]] | None]:
    figures: dict[str, list[list[float]] | None] = {}
    for _ in range(repeats):
        for name, make in WAYS.items():
            try:
                make(rate)
            except ImportError:
                figures[name] = None
                continue
            found = await measured(make, rate, seconds)
            figures[name] = [*(figures.get(name) or []), found]
    return figures


def show(rate: float, figures: dict[str, list[list[float]] | None]) -> None:
    print(f"{f'{rate:,.0f}/s':24}" + "".join(f"{column:>8}" for column in COLUMNS) + "   x us")
    ours = 0.0
    for name, several in figures.items():
        if several is None:
            print(f"{name:24}  skipped: not installed")
            continue
        middle = [median(column) for column in zip(*several, strict=True)]
        ours = ours or middle[4]
        cells = "".join(f"{x:8.0f}" if n == 4 else f"{x:8.3f}" for n, x in enumerate(middle))
        print(f"{name:24}{cells}{middle[4] / ours:7.2f}")


def main() -> None:
    seconds, repeats = [*map(int, sys.argv[1:]), *(4, 3)[len(sys.argv) - 1 :]][:2]
    for rate in RATES:
        # Timers of asyncio's own loop, which is the one that every limiter was written for.
        show(rate, asyncio.run(compare(rate, seconds, repeats)))
    print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
