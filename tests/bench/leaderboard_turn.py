"""One way, once, in a process of its own: what it cost as a line of JSON.

    python tests/bench/leaderboard_turn.py WAY HOST SOCKET USERS

Prints a line when it is ready, begins on a line from stdin. What a rehearsal before that took of
memory counts as well.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

from leaderboard_peers import PEERS, Places, Work
from leaderboard_syncd import OURS

from syncd.daemon.collector import calm_collector

_TICK_SECONDS = 0.001
_RESET_PEAK = "5"


def memory(field: str) -> float:
    """Return a field of this process's status in MB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) / 1024
    raise LookupError(field)


class LoopWatch:
    """Notes the longest time in which the loop got to nobody."""

    def __init__(self) -> None:
        self.longest = 0.0

    async def watch(self) -> None:
        while True:
            begun = time.perf_counter()
            await asyncio.sleep(_TICK_SECONDS)
            self.longest = max(self.longest, time.perf_counter() - begun - _TICK_SECONDS)


async def measured(work: Work) -> dict[str, float]:
    watch = LoopWatch()
    async with asyncio.TaskGroup() as group:
        watching = group.create_task(watch.watch())
        await asyncio.sleep(10 * _TICK_SECONDS)
        watch.longest = 0.0
        busy, begun = time.process_time(), time.perf_counter()
        await work()
        seconds, cpu = time.perf_counter() - begun, time.process_time() - busy
        watching.cancel()
    return {"seconds": seconds, "cpu": cpu, "block": watch.longest}


async def main(way: str, host: str, socket: str, users: int) -> None:
    """Take one turn."""
    places = Places(host=host, socket=socket, users=users)
    async with dict((*PEERS, *OURS))[way](places) as ready:
        calm_collector()
        before = memory("VmRSS")
        await asyncio.to_thread(Path("/proc/self/clear_refs").write_text, _RESET_PEAK)
        if ready.rehearse is not None:
            await ready.rehearse()
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        figures = await measured(ready.work)
        print(json.dumps({**figures, "memory": memory("VmHWM") - before}), flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:4], int(sys.argv[4])))
