"""Two hundred thousand members: memory stays flat, nobody else waits."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from fakes.boards import NAMES, board_reader, fill
from fakes.valkey import NewServer

MEMBERS = 200_000
PAGE = 5_000
MEGABYTE = 1_048_576


async def test_many_members_need_little_memory_and_block_nobody(
    new_valkey: NewServer, capsys: pytest.CaptureFixture[str]
) -> None:
    server = new_valkey()
    async with server.client() as client, board_reader(server.address, page=PAGE) as reader:
        scores: dict[str | bytes, float | str] = {
            f"{number:036}": number % 5_000 for number in range(MEMBERS)
        }
        await fill(client, {"daily": scores, "yearly": scores})
        del scores
        async with contextlib.aclosing(reader.pages()) as pages:
            await anext(pages)
        gc.collect()
        before, most, rows = _resident(), 0, 0
        members = [0] * len(NAMES)
        async with _longest(_own_work()) as lag:
            begun = time.perf_counter()
            async for page in reader.pages():
                most = max(most, _resident())
                rows += page.rows
                members = [sum(pair) for pair in zip(members, page.members, strict=True)]
            seconds = time.perf_counter() - begun

    with capsys.disabled():
        sys.stdout.write(
            f"\n{MEMBERS} members: {seconds:.2f} s, {(most - before) / MEGABYTE:+.1f} MB,"
            f" loop blocked for {lag[0] * 1000:.1f} ms of our CPU at most\n"
        )
    assert members == [MEMBERS, 0, 0, MEMBERS]
    assert rows == MEMBERS
    assert most - before < 32 * MEGABYTE
    assert lag[0] < 0.1


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4_096


@contextlib.asynccontextmanager
async def _longest(gaps: AsyncIterator[float]) -> AsyncIterator[list[float]]:
    longest = [0.0]

    async def watch() -> None:
        async for gap in gaps:
            longest[0] = max(longest[0], gap)

    task = asyncio.ensure_future(watch())
    yield longest
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def _own_work() -> AsyncIterator[float]:
    """How much CPU this process takes between two turns of the loop: others do not count."""
    while True:
        begun = time.process_time()
        await asyncio.sleep(0.001)
        yield time.process_time() - begun
