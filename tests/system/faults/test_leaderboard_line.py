"""The line to Redis falls silent or drips: the run ends in time, with nothing written."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from fakes.tcp_proxy import TcpProxy, tcp_proxy
from fakes.upset import PROMPT, upset
from fakes.valkey import ValkeyServer

from syncd.model.address import RedisAddress
from syncd.model.run import Outcome
from syncd.store.database import Database

USERS: dict[str | bytes, float | str] = {f"user{number:04}": number + 1 for number in range(1_000)}
# A question that is not answered costs ten seconds; then the server is looked at once more.
SOON = 30.0


def drip(proxy: TcpProxy) -> None:
    proxy.slice_bytes, proxy.delay_seconds = 1, 0.05


async def mend(proxy: TcpProxy) -> None:
    proxy.slice_bytes, proxy.delay_seconds = 65_536, 0.0
    await proxy.mend()


@pytest.mark.parametrize("begins_late", [False, pytest.param(True, marks=pytest.mark.full)])
@pytest.mark.parametrize("fault", [TcpProxy.go_silent, pytest.param(drip, marks=pytest.mark.full)])
async def test_a_line_that_falls_silent_or_drips_fails_the_run_in_time(
    database: Database, valkey: ValkeyServer, fault: object, begins_late: bool
) -> None:
    async with (
        tcp_proxy(Path(valkey.address.socket)) as proxy,
        upset(database, valkey, RedisAddress(port=proxy.port), guard=PROMPT) as world,
    ):
        await world.fill(daily=USERS, yearly=USERS)
        await world.sync()
        await world.remove("user0000")
        before = await world.written()
        assert callable(fault)
        if begins_late:
            world.after_page[2] = lambda: fault(proxy)
        else:
            fault(proxy)
        begun = time.monotonic()

        ended = await world.sync(seconds=SOON)

        assert time.monotonic() - begun < SOON
        assert ended.outcome is Outcome.FAILED
        assert "no answer within 10 s" in ended.error
        assert ended.hint == "check that the server runs and that [redis] names it rightly"
        assert await world.written() == before
        await mend(proxy)
        assert (await world.sync()).outcome is Outcome.SUCCEEDED
        assert await world.table() == await world.boards()
