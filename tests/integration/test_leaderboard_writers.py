"""Those who write to the boards do not stop for a run: nobody who is on a board is ever deleted."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from fakes.board_writer import FLEETING, Counts, always, begin
from fakes.boards import board_reader
from fakes.tcp_proxy import tcp_proxy
from fakes.upset import PROMPT, upset
from fakes.valkey import ValkeyServer
from fakes.waiting import until

from syncd.model.address import RedisAddress
from syncd.model.run import Outcome
from syncd.store.database import Database

RUNS = 6


async def test_two_thousand_writes_a_second_cost_nobody_his_row(
    database: Database, valkey: ValkeyServer, capsys: pytest.CaptureFixture[str]
) -> None:
    async with upset(database, valkey, guard={**PROMPT, "rows": 1_000}) as world:
        async with writing(valkey) as counts:
            runs = [await world.sync() for _ in range(RUNS)]

        assert {run.outcome for run in runs} == {Outcome.SUCCEEDED}
        deleted = await world.deleted()
        assert deleted
        assert deleted <= set(FLEETING)
        table = await world.table()
        assert always() <= table.keys()

        assert (await world.sync()).outcome is Outcome.SUCCEEDED
        assert await world.table() == await world.boards()
    with capsys.disabled():
        sys.stdout.write(
            f"\n{counts.rate:,.0f} writes/s beside {RUNS} runs, which deleted"
            f" {sum(run.report.deleted for run in runs)} rows of those who came and went\n"
        )
    assert counts.writes > 0


@contextlib.asynccontextmanager
async def writing(server: ValkeyServer) -> AsyncIterator[Counts]:
    """Let somebody write to the boards; their counts are there afterwards."""
    writer = await begin(server.address.socket)
    counts = Counts()
    try:
        await writer.stdout.readline()
        yield counts
    finally:
        writer.terminate()
        out, _ = await writer.communicate()
    counts.read(out)


async def test_who_moves_from_board_to_board_is_on_one_at_every_moment(
    valkey: ValkeyServer,
) -> None:
    """A question to two boards must not be overtaken by a move from the second to the first."""
    async with (
        valkey.client() as client,
        tcp_proxy(Path(valkey.address.socket)) as proxy,
        board_reader(RedisAddress(port=proxy.port)) as reader,
    ):
        await client.zadd("leaderboard:weekly", {"mover": 1})
        await client.config_resetstat()
        proxy.slice_bytes, proxy.delay_seconds = 1, 0.001

        async def was_asked() -> bool:
            stats = await client.info("commandstats")
            return "cmdstat_zmscore" in stats

        asking = asyncio.ensure_future(reader.absent(["mover", "nobody"]))
        await until(was_asked, what="the first board to be asked")
        await client.zadd("leaderboard:daily", {"mover": 1})
        await client.zrem("leaderboard:weekly", "mover")

        assert await asking == {"nobody"}
