"""`syncd selftest leaderboard`: a trial on real servers, which leaves nothing behind."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

import pytest
from fakes.daemon_config import free_port
from fakes.processes import processes_of
from fakes.tcp_proxy import TcpProxy
from fakes.valkey import NewServer, ValkeyServer
from fakes.waiting import DEADLINE_SECONDS

from syncd.model.address import PostgresAddress
from syncd.store.database import Database

NAMES = [
    "prepare",
    "three users",
    "the same again",
    "5 becomes 10",
    "one user leaves",
    "flushed",
    "clean up",
]
LEFT = "SELECT nspname FROM pg_namespace WHERE starts_with(nspname, 'syncd_selftest_')"


def write_config(folder: Path, postgres: PostgresAddress, redis: str) -> Path:
    where = f"host={postgres.host}&port={postgres.port}&dbname={postgres.database}"
    config = folder / "config.toml"
    config.write_text(
        f"""
[daemon]
state_dir = "state"
[database]
url = "postgresql://{postgres.user}@/?{where}"
[redis]
url = "{redis}"
"""
    )
    return config


async def begin(config: Path, *words: str) -> Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "syncd", "--config", str(config), "selftest", "leaderboard"),
        *words,
        stdout=PIPE,
        stderr=PIPE,
        start_new_session=True,
    )


async def selftest(config: Path, *words: str) -> tuple[int | None, str, str]:
    process = await begin(config, *words)
    async with asyncio.timeout(DEADLINE_SECONDS):
        out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


async def left(database: Database, valkey: ValkeyServer) -> list[object]:
    """Return what is in either server that a trial may have left there."""
    async with database.connection() as connection, valkey.client() as client:
        schemas = [row["nspname"] for row in await connection.fetch(LEFT)]
        return [*schemas, *await client.keys("*")]


@pytest.fixture
def socket(valkey: ValkeyServer) -> str:
    return f"unix://{valkey.address.socket}"


async def test_every_step_is_told_and_nothing_is_left(
    tmp_path: Path, database: Database, valkey: ValkeyServer, socket: str
) -> None:
    config = write_config(tmp_path, database.settings.address, socket)

    code, out, err = await selftest(config)

    lines = out.splitlines()
    steps = [re.split(r" {2,}", line) for line in lines[:-1]]
    assert code == 0, out + err
    assert [step[:3] for step in steps] == [
        [str(number), name, "ok"] for number, name in enumerate(NAMES, 1)
    ]
    assert [step[-1] for step in steps[1:-1]] == [
        "3 created; daily 5 3 8",
        "3 unchanged; daily 5 3 8",
        "1 updated, 2 unchanged; daily 10 3 8",
        "2 unchanged, 1 deleted; daily 10 3",
        "0 deleted, held; daily 10 3",
    ]
    assert re.fullmatch(r"selftest of leaderboard is ok: 7 steps in [\d.]+ s", lines[-1])
    assert await left(database, valkey) == []


async def test_what_others_have_in_the_same_servers_stays(
    tmp_path: Path, database: Database, valkey: ValkeyServer, socket: str
) -> None:
    config = write_config(tmp_path, database.settings.address, socket)
    async with valkey.client() as client:
        await client.zadd("leaderboard:daily", {"u1": 1.0})

    code, out, _ = await selftest(config, "--json")

    told = json.loads(out)
    assert (code, told["ok"]) == (0, True)
    assert [step["name"] for step in told["steps"] if step["ok"]] == NAMES
    assert await left(database, valkey) == [b"leaderboard:daily"]


async def test_a_redis_that_may_drop_boards_fails_the_step_that_deletes(
    tmp_path: Path, database: Database, new_valkey: NewServer
) -> None:
    valkey = new_valkey(maxmemory="100mb", maxmemory_policy="allkeys-lru")
    config = write_config(tmp_path, database.settings.address, f"unix://{valkey.address.socket}")

    code, out, _ = await selftest(config)

    assert code == 1
    assert "selftest of leaderboard failed: one user leaves" in out
    assert "expected: 2 unchanged, 1 deleted; daily 10 3" in out
    assert out.splitlines()[-2].startswith("7  clean up         ok")
    assert await left(database, valkey) == []


async def test_a_redis_that_is_not_there_fails_the_first_step_and_makes_nothing(
    tmp_path: Path, database: Database, valkey: ValkeyServer
) -> None:
    port = free_port()
    config = write_config(tmp_path, database.settings.address, f"redis://127.0.0.1:{port}")

    code, out, err = await selftest(config)

    assert code == 1
    assert f"cannot use Redis 127.0.0.1:{port}/0" in out
    assert "  hint: check that the server runs" in err
    assert await left(database, valkey) == []


async def test_a_signal_in_the_middle_leaves_nothing_behind(
    tmp_path: Path, database: Database, valkey: ValkeyServer
) -> None:
    proxy = TcpProxy(Path(valkey.address.socket))
    await proxy.mend()
    url = f"redis://127.0.0.1:{proxy.port}"
    process = await begin(write_config(tmp_path, database.settings.address, url))
    assert process.stdout is not None
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not (await process.stdout.readline()).startswith(b"2"):
            pass
        # What is under way now can come to no end before the signal does.
        proxy.go_silent()
        os.kill(process.pid, signal.SIGINT)
        await asyncio.sleep(0)
        await proxy.mend()
        out, err = await process.communicate()

    assert process.returncode == 130, out
    assert err.decode().splitlines()[-1] == "stopped; nothing is left"
    assert await left(database, valkey) == []
    await proxy.cut()


async def test_a_signal_while_servers_start_leaves_none_running(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text('[daemon]\nstate_dir = "state"\n')
    process = await begin(config)
    assert process.stderr is not None
    async with asyncio.timeout(DEADLINE_SECONDS):
        await process.stderr.readline()
        # As Ctrl-C does: to everything that was started from here.
        os.killpg(process.pid, signal.SIGINT)
        _, err = await process.communicate()

    assert process.returncode == 130
    assert err.decode().splitlines()[-1] == "stopped; nothing is left"
    assert processes_of(tmp_path) == {}
