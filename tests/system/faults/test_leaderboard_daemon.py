"""The daemon and a Redis that is emptied or away, as those who operate it see it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import pytest
from fakes.boards import fill
from fakes.daemon_process import DaemonProcess, Start
from fakes.valkey import NewServer, ValkeyServer

USERS: dict[str | bytes, float | str] = {f"user{number:03}": number + 1 for number in range(100)}
ROWS = "SELECT ctid::text, xmin::text FROM pomo_leaderboard ORDER BY user_id"


@pytest.fixture
def server(new_valkey: NewServer) -> ValkeyServer:
    return new_valkey(port=None)


@contextlib.asynccontextmanager
async def following(start: Start, server: ValkeyServer) -> AsyncIterator[DaemonProcess]:
    """A daemon whose table follows the boards."""
    tables = {
        "redis": {"host": "127.0.0.1", "port": server.port},
        "jobs.leaderboard": {"kind": "leaderboard", "every": "1h"},
    }
    async with server.client() as client:
        await fill(client, {"daily": USERS, "yearly": USERS})
    async with start(None, tables) as daemon:
        said = await daemon.command("trigger", "leaderboard", "--follow")
        assert said.code == 0, said.err
        assert len(await daemon.fetch(ROWS)) == len(USERS)
        yield daemon


@pytest.mark.parametrize("forget", [ValkeyServer.flush, ValkeyServer.restart])
async def test_an_emptied_redis_is_held_rehydrated_and_followed_again(
    external_daemon: Start, server: ValkeyServer, forget: object
) -> None:
    async with following(external_daemon, server) as daemon:
        before = await daemon.fetch(ROWS)
        assert callable(forget)
        forget(server)

        held = await daemon.command("trigger", "leaderboard", "--follow")

        assert held.code == 7
        assert "Redis holds nobody on any board, the table 100 rows" in held.out + held.err
        assert "syncd rehydrate leaderboard" in held.out + held.err
        assert await daemon.fetch(ROWS) == before
        mended = await daemon.command("rehydrate", "leaderboard")
        assert mended.code == 0, mended.err
        again = await daemon.command("trigger", "leaderboard", "--follow")
        assert again.code == 0, again.err
        assert await daemon.fetch(ROWS) == before


async def test_a_redis_that_is_away_fails_the_run_and_costs_nothing(
    external_daemon: Start, server: ValkeyServer
) -> None:
    async with following(external_daemon, server) as daemon:
        before = await daemon.fetch(ROWS)
        server.tell("SAVE")
        server.kill()

        failed = await daemon.command("trigger", "leaderboard", "--follow")

        assert failed.code not in {0, 7}
        assert f"cannot use Redis 127.0.0.1:{server.port}/0" in failed.out + failed.err
        assert await daemon.fetch(ROWS) == before
        server.start()
        again = await daemon.command("trigger", "leaderboard", "--follow")
        assert again.code == 0, again.err
        assert await daemon.fetch(ROWS) == before
