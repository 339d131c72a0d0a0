"""One way to schedule, measured in a process of its own; bench_schedule.py starts it.

    python tests/bench/schedule_stage.py WAY JOBS fire
    python tests/bench/schedule_stage.py WAY JOBS idle SECONDS

Prints one line of JSON.
"""

from __future__ import annotations

import asyncio
import json
import math
import selectors
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from time import perf_counter, process_time, time
from typing import Any

from schedule_peers import PEERS, Task, Way

from syncd.daemon.collector import calm_collector

# From here on the second of the fires is measured: nobody sets up any more.
BEFORE_SECONDS = 0.3
QUIET_SECONDS = 0.5
QUIET_CPU_SECONDS = 0.005
GIVE_UP_SECONDS = 60.0


class CountedSelector(selectors.DefaultSelector):
    """Counts how often a loop wakes up: what it does at once after that is not another time."""

    def __init__(self) -> None:
        super().__init__()
        self.wakes = 0

    def select(self, timeout: float | None = None) -> Any:
        found = super().select(timeout)
        self.wakes += timeout != 0
        return found


def switches() -> int:
    """Count how often the threads of this process went to sleep, as the kernel saw it."""
    total = 0
    for status in Path("/proc/self/task").glob("*/status"):
        for line in status.read_text().splitlines():
            if line.startswith("voluntary_ctxt_switches"):
                total += int(line.split()[1])
    return total


def peak_megabytes() -> float:
    status = Path("/proc/self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


async def quiet() -> None:
    """Wait until nothing is going on any more."""
    begun = time()
    while time() - begun < GIVE_UP_SECONDS:
        used = process_time()
        await asyncio.sleep(QUIET_SECONDS)
        if process_time() - used < QUIET_CPU_SECONDS:
            return


async def fire(way: Way, jobs: int) -> Mapping[str, Any]:
    """Let all jobs be due in one second."""
    due = datetime.fromtimestamp(math.ceil(time() + 2 + jobs / 500), UTC)
    ran: list[float] = []
    task = Task(jobs=jobs, due=due, ran=lambda: ran.append(time()))
    calm_collector()
    begun = perf_counter()
    async with way(task) as ready:
        set_up = perf_counter() - begun
        # As the daemon does once its jobs are made.
        calm_collector()
        left = due.timestamp() - time() - BEFORE_SECONDS
        if left < 0:
            return {"problem": f"setting {jobs:,} jobs up took {set_up:.1f} s"}
        await asyncio.sleep(left)
        before, used = ready.parts(), process_time()
        await asyncio.sleep(2 * BEFORE_SECONDS)
        await quiet()
        used, after = process_time() - used, ready.parts()
    late = sorted((at - due.timestamp()) * 1e3 for at in ran) or [math.nan]
    return {
        "ran": len(ran),
        "missed": jobs - len(ran),
        "first": late[0],
        "p50": median(late),
        "max": late[-1],
        "cpu": used,
        "ended": after.pop("at last", max(ran, default=math.nan)) - due.timestamp(),
        "parts": {name: after[name] - before.get(name, 0.0) for name in after},
        "rss": peak_megabytes(),
        "set_up": set_up,
    }


async def idle(way: Way, jobs: int, seconds: float, selector: CountedSelector) -> Mapping[str, Any]:
    """Let nothing be due for an hour."""
    due = datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=59)
    calm_collector()
    async with way(Task(jobs=jobs, due=due, ran=lambda: None)):
        await quiet()
        wakes, slept, used = selector.wakes, switches(), process_time()
        await asyncio.sleep(seconds)
        # The loop woke up once to end this wait.
        wakes, slept = selector.wakes - wakes - 1, switches() - slept - 1
        used = process_time() - used
    return {"wakes": wakes / seconds, "switches": slept / seconds, "cpu": used / seconds}


def ways() -> dict[str, Way]:
    from schedule_syncd import SYNCD

    return {**PEERS, **SYNCD}


def main() -> None:
    name, jobs, what, *rest = sys.argv[1:]
    way = PEERS[name] if name in PEERS else ways()[name]
    selector = CountedSelector()
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selector)) as runner:
        if what == "fire":
            found = runner.run(fire(way, int(jobs)))
        else:
            found = runner.run(idle(way, int(jobs), float(rest[0]), selector))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
