"""What a server says of itself before it is read, and what it is refused for."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from fakes.boards import BOARDS, board_reader, fill, read_all
from fakes.resp_server import resp_server
from fakes.valkey import NewServer, ValkeyServer
from fakes.waiting import until

from syncd.cache.boards import BoardReader
from syncd.errors import CacheLoading, CacheUnavailable, SourceUnfit
from syncd.model.address import RedisAddress
from syncd.model.leaderboard import BoardFacts, Page


async def test_a_server_tells_of_itself_and_its_boards(each_server: ValkeyServer) -> None:
    async with each_server.client() as client, board_reader(each_server.address) as reader:
        await fill(client, {"daily": {"ada": 1, "bob": 2}, "yearly": {"ada": 1}})
        await client.expire("leaderboard:daily", 3_600)
        await client.set("other", "key")
        info = await client.info()

        facts = await reader.examine()

    assert facts.server_id == info["run_id"]
    assert (facts.keys, facts.members, facts.evicted_keys) == (3, 3, 0)
    assert not any((facts.evicts, facts.is_replica, facts.is_stale))
    assert {name: board.members for name, board in facts.boards.items()} == {
        "daily": 2,
        "weekly": 0,
        "monthly": 0,
        "yearly": 1,
    }
    expiry = facts.boards["daily"].expires_at
    assert expiry is not None
    assert abs(expiry - datetime.now(UTC) - timedelta(hours=1)) < timedelta(minutes=5)
    assert facts.boards["weekly"] == BoardFacts(members=0)
    assert facts.boards["yearly"].expires_at is None


async def test_boards_that_are_something_else_are_named_all_at_once(valkey: ValkeyServer) -> None:
    async with valkey.client() as client, board_reader(valkey.address) as reader:
        await fill(client, {"daily": {"ada": 1}})
        await client.set("leaderboard:weekly", "text")
        await client.rpush("leaderboard:yearly", "text")

        with pytest.raises(SourceUnfit) as caught:
            await reader.examine()

    assert "leaderboard:weekly (board weekly) is a string" in str(caught.value)
    assert "leaderboard:yearly (board yearly) is a list, not a sorted set" in str(caught.value)
    assert caught.value.hint


async def test_a_board_that_becomes_something_else_ends_the_reading(valkey: ValkeyServer) -> None:
    async with valkey.client() as client, board_reader(valkey.address) as reader:
        await fill(client, {"daily": {f"user{number}": 1 for number in range(500)}})
        pages = reader.pages()
        await anext(pages)
        await client.set("leaderboard:weekly", "text")

        with pytest.raises(SourceUnfit, match="refuses ZMSCORE leaderboard:weekly: WRONGTYPE"):
            await read_all(pages)

        assert await reader.absent([]) == set()


async def test_a_server_that_loads_is_told_apart_and_read_afterwards(new_valkey: NewServer) -> None:
    server = new_valkey()
    async with server.client() as client:
        await fill(client, {"daily": {"ada": 1}})
        await client.mset({f"other{number}": os.urandom(500) for number in range(400)})
        await client.save()
    server.kill()
    # Microseconds a key; the server listens to others each time it has read so many bytes.
    server.start(key_load_delay="5000", loading_process_events_interval_bytes="1024")

    async with board_reader(server.address) as reader:
        for _ in range(3):
            with pytest.raises(CacheLoading, match="still loads its data"):
                await reader.examine()
        with pytest.raises(CacheLoading):
            await reader.absent(["ada"])
        facts = await until(lambda: _when_loaded(reader), what="the server to have loaded")
        reading = await read_all(reader.pages())

    assert facts.boards["daily"].members == 1
    assert set(reading.users) == {"ada"}


async def test_every_question_to_a_loading_server_is_told_apart() -> None:
    async with (
        resp_server(lambda _: b"-LOADING Redis is loading the dataset\r\n") as port,
        board_reader(RedisAddress(port=port)) as reader,
    ):
        with pytest.raises(CacheLoading):
            await reader.examine()
        with pytest.raises(CacheLoading):
            await read_all(reader.pages())


async def test_a_replica_is_stale_while_its_master_is_gone(new_valkey: NewServer) -> None:
    master = new_valkey(port=None, repl_diskless_sync_delay="0")
    replica = new_valkey(port=None, replicaof=f"127.0.0.1 {master.port}")
    async with master.client() as client, board_reader(replica.address) as reader:
        await fill(client, {"daily": {"ada": 1}})
        await until(lambda: _is_stale(reader, stale=False), what="the replica to follow")

        facts = await reader.examine()
        assert (facts.is_replica, facts.is_stale, facts.members) == (True, False, 1)
        master.kill()

        await until(lambda: _is_stale(reader, stale=True), what="the replica to notice")
        assert (await reader.examine()).members == 1


async def test_a_replica_that_refuses_stale_answers_cannot_be_used(new_valkey: NewServer) -> None:
    replica = new_valkey(replicaof="127.0.0.1 1", replica_serve_stale_data="no")
    async with board_reader(replica.address) as reader:
        with pytest.raises(CacheUnavailable, match="MASTER is down"):
            await reader.examine()


@pytest.mark.parametrize(
    ("policy", "limit", "expires", "evicts"),
    [
        ("allkeys-lru", "100mb", False, True),
        ("volatile-lru", "100mb", False, False),
        ("volatile-lru", "100mb", True, True),
        ("noeviction", "100mb", True, False),
        ("allkeys-lru", "0", True, False),
    ],
)
async def test_a_server_tells_whether_it_may_drop_a_board(
    new_valkey: NewServer, policy: str, limit: str, expires: bool, evicts: bool
) -> None:
    server = new_valkey(maxmemory_policy=policy, maxmemory=limit)
    async with server.client() as client, board_reader(server.address) as reader:
        await fill(client, {"daily": {"ada": 1}})
        if expires:
            await client.expire("leaderboard:daily", 3_600)

        assert (await reader.examine()).evicts is evicts


async def test_evicted_keys_are_counted(new_valkey: NewServer) -> None:
    server = new_valkey(maxmemory_policy="allkeys-random", maxmemory="4mb")
    async with server.client() as client, board_reader(server.address) as reader:
        for number in range(80):
            await client.set(f"other{number}", "x" * 100_000)

        assert (await reader.examine()).evicted_keys > 0


@pytest.mark.parametrize("command", ["info", "zscan", "zmscore", "mget"])
async def test_a_right_that_is_missing_is_named(new_valkey: NewServer, command: str) -> None:
    server = new_valkey(port=None)
    address = RedisAddress(port=server.port, username="reader", password="secret")
    async with server.client() as client:
        await fill(client, {"daily": {"ada": 1}, "weekly": {"ada": 1}})
        await client.set("user:details:ada", "{}")
        await client.execute_command(
            "ACL", "SETUSER", "reader", "on", ">secret", "~*", "+@all", f"-{command}"
        )
    async with board_reader(address) as reader:
        with pytest.raises(SourceUnfit) as caught:
            await read_all(_examined(reader))

    assert f"refuses {command.upper()}" in str(caught.value)
    assert f"ACL SETUSER reader +{command}" in (caught.value.hint or "")
    assert "secret" not in str(caught.value)


async def test_a_command_that_the_server_does_not_know_is_named(new_valkey: NewServer) -> None:
    server = new_valkey(rename_command="ZMSCORE ")
    async with server.client() as client, board_reader(server.address) as reader:
        await fill(client, {"daily": {"ada": 1}})

        with pytest.raises(SourceUnfit, match="refuses ZMSCORE") as caught:
            await read_all(reader.pages())

    assert "Redis 6.2 or newer" in (caught.value.hint or "")


@pytest.mark.parametrize("password", ["", "wrong"])
async def test_a_wrong_password_is_no_outage(new_valkey: NewServer, password: str) -> None:
    server = new_valkey(requirepass="right")
    address = RedisAddress(socket=server.address.socket, password=password)

    with pytest.raises(SourceUnfit, match="refuses to let us in") as caught:
        async with board_reader(address) as reader:
            await reader.examine()

    assert "right" not in str(caught.value)
    assert "[redis]" in (caught.value.hint or "")


@pytest.mark.parametrize("is_socket", [True, False])
async def test_a_database_that_is_not_there_is_refused(
    new_valkey: NewServer, is_socket: bool
) -> None:
    server = new_valkey(port=None)
    address = RedisAddress(socket=server.address.socket) if is_socket else RedisAddress()
    reader = board_reader(replace(address, port=server.port, database=99))

    for _ in range(2):
        with pytest.raises(SourceUnfit, match="DB index is out of range"):
            await reader.examine()


async def test_a_cluster_is_refused() -> None:
    async with (
        resp_server(lambda _: b"-MOVED 3999 127.0.0.1:6381\r\n") as port,
        board_reader(RedisAddress(port=port)) as reader,
    ):
        with pytest.raises(SourceUnfit, match="refuses ZCARD leaderboard:daily") as caught:
            await read_all(reader.pages())

    assert "does not read Redis clusters" in (caught.value.hint or "")


async def test_another_database_of_the_server_is_read(valkey: ValkeyServer) -> None:
    async with valkey.client() as client:
        await fill(client, {"daily": {"ada": 1, "bob": 1}})
        await client.execute_command("MOVE", "leaderboard:daily", 3)
        await fill(client, {"daily": {"cyd": 1}})
    address = RedisAddress(socket=valkey.address.socket, database=3)
    async with board_reader(address, boards=BOARDS[:1]) as reader:
        assert (await reader.examine()).members == 2
        assert set((await read_all(reader.pages())).users) == {"ada", "bob"}


async def _examined(reader: BoardReader) -> AsyncIterator[Page]:
    await reader.examine()
    async for page in reader.pages():
        yield page


async def _when_loaded(reader: BoardReader) -> object:
    try:
        return await reader.examine()
    except CacheLoading:
        await asyncio.sleep(0)
        return None


async def _is_stale(reader: BoardReader, *, stale: bool) -> bool:
    try:
        return (await reader.examine()).is_stale is stale
    except CacheLoading:
        return False
