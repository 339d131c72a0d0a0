"""Two hundred thousand members through a whole run: memory stays flat, nobody else waits."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from fakes.boards import fill
from fakes.upset import PROMPT, upset
from fakes.valkey import NewServer

from syncd.model.run import Outcome
from syncd.store.database import Database

MEMBERS = 200_000
MEGABYTE = 1_048_576


async def test_a_large_board_needs_little_memory_and_blocks_nobody(
    database: Database, new_valkey: NewServer, capsys: pytest.CaptureFixture[str]
) -> None:
    server = new_valkey()
    options = {"batch": 1_000, "pause": "0s", "guard": PROMPT}
    async with upset(database, server, **options) as world:
        await world.fill(daily={"first": 1})
        await world.sync()
        async with server.client() as client:
            # In parts: what this process needs for it must not hide what the run needs.
            for first in range(0, MEMBERS, 5_000):
                part = {f"{n:036}": n % 5_000 for n in range(first, first + 5_000)}
                await fill(client, {"daily": part})
        gc.collect()
        async with watched() as watch:
            begun = time.perf_counter()
            run = await world.sync(seconds=120.0)
            seconds = time.perf_counter() - begun

    with capsys.disabled():
        sys.stdout.write(
            f"\n{MEMBERS} members, a whole run: {seconds:.2f} s, {watch.grown / MEGABYTE:+.1f} MB,"
            f" loop blocked for {watch.longest * 1000:.1f} ms of our CPU at most\n"
        )
    assert (run.outcome, run.report.created) == (Outcome.SUCCEEDED, MEMBERS)
    assert watch.grown < 32 * MEGABYTE
    assert watch.longest < 0.1


class Watch:
    """How far the memory has grown, and how long the loop had no turn."""

    def __init__(self) -> None:
        self._before = _resident()
        self.grown = 0
        self.longest = 0.0

    async def look(self) -> None:
        """Look as long as the task lives; CPU that others take does not count."""
        while True:
            begun = time.process_time()
            await asyncio.sleep(0.001)
            self.longest = max(self.longest, time.process_time() - begun)
            self.grown = max(self.grown, _resident() - self._before)


@contextlib.asynccontextmanager
async def watched() -> AsyncIterator[Watch]:
    watch = Watch()
    task = asyncio.ensure_future(watch.look())
    yield watch
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4_096
