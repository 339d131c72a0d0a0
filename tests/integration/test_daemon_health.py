"""Whether syncd is ready, while PostgreSQL is there, is silent, or has lost our tables."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import perf_counter

import pytest
from fakes.clock import FakeClock
from fakes.controlled import Desk, text_for
from fakes.tcp_proxy import TcpProxy
from fakes.waiting import until

from syncd.clock import SystemClock
from syncd.daemon.control import Control
from syncd.daemon.core import assemble
from syncd.daemon.health import StoreHealth
from syncd.daemon.settings import load_config
from syncd.errors import StoreUnavailable
from syncd.store.database import Database
from syncd.telemetry.bus import Bus


async def nothing() -> None:
    return None


async def is_told(health: StoreHealth) -> str:
    return health.error


async def is_well(health: StoreHealth) -> bool:
    return not health.error


async def test_a_call_before_the_tables_are_there_says_so_and_is_no_crash(
    database: Database, base_url: str, tmp_path: Path
) -> None:
    text = text_for(database.settings.address, "not_migrated_yet", base_url)
    (tmp_path / "config.toml").write_text(text)
    config = load_config(tmp_path / "config.toml", {"TOKEN": "ghp_one"})
    core = assemble(config, FakeClock(), Bus(), is_firing=False)
    async with core:
        with pytest.raises(StoreUnavailable):
            await Control(core).users("", 1)


async def test_syncd_is_not_ready_while_its_tables_are_gone_and_is_again_when_they_are_back(
    desk: Desk, database: Database
) -> None:
    schema, health = database.settings.schema, desk.core.health
    async with database.connection() as connection:
        await connection.execute(f"ALTER SCHEMA {schema} RENAME TO {schema}_away")

    await desk.clock.run(until(partial(is_told, health), what="not to be ready"))
    why = desk.control.is_ready()[1]
    status = await desk.control.status()
    async with database.connection() as connection:
        await connection.execute(f"ALTER SCHEMA {schema}_away RENAME TO {schema}")
    await desk.clock.run(until(partial(is_well, health), what="the tables to be back"))

    assert "tables are not there" in why
    assert "tables are not there" in status["problems"][0]["what"]


async def test_a_server_that_is_frozen_is_noticed_within_seconds(
    database: Database, proxy: TcpProxy
) -> None:
    address = replace(database.settings.address, host="127.0.0.1", port=proxy.port, ssl="disable")
    # With the patience of a production config: ten seconds for a connection, thirty for an answer.
    async with Database(replace(database.settings, address=address), SystemClock()) as frozen:
        health = StoreHealth(frozen, SystemClock(), Bus(), at_first=nothing)
        watching = asyncio.create_task(health.watch())
        await health.ready.wait()
        proxy.go_silent()
        begun = perf_counter()

        await until(partial(is_told, health), what="the silence to be noticed")
        took = perf_counter() - begun

        watching.cancel()
        await proxy.cut()
    assert took < 6
    assert "no answer in time" in health.error
