"""A server that stops, forgets, hangs or drips: one clear end, in time, and no mixed-up reply."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from fakes.boards import board_reader, fill, read_all
from fakes.certificates import Authority
from fakes.raw_server import raw_server
from fakes.resp_server import resp_server
from fakes.tcp_proxy import TcpProxy, tcp_proxy
from fakes.valkey import NewServer, ValkeyServer

from syncd.cache.connection import Cache
from syncd.cache.raw import RawConnection
from syncd.clock import SystemClock
from syncd.errors import CacheUnavailable, SourceUnfit
from syncd.model.address import RedisAddress

USERS = {"daily": {f"user{number}": 1 for number in range(3_000)}}
# Ours end at once where they end; what a library makes of them took a quarter of a minute.
SOON = 8.0


@pytest.fixture
async def proxy(valkey: ValkeyServer) -> AsyncIterator[TcpProxy]:
    async with tcp_proxy(Path(valkey.address.socket)) as proxy:
        yield proxy


@contextlib.asynccontextmanager
async def filled(server: ValkeyServer) -> AsyncIterator[None]:
    async with server.client() as client:
        await fill(client, USERS)
    yield


async def test_a_server_that_is_not_there_is_named() -> None:
    with pytest.raises(CacheUnavailable, match=r"cannot use Redis 127\.0\.0\.1:1/0") as caught:
        async with board_reader(RedisAddress(port=1)):
            pass

    assert caught.value.hint
    assert caught.value.retryable


async def test_a_server_that_restarts_in_the_middle_ends_the_reading(new_valkey: NewServer) -> None:
    server = new_valkey()
    async with filled(server), board_reader(server.address) as reader:
        before = await reader.examine()
        pages = reader.pages()
        await anext(pages)
        server.kill()
        server.start()

        with pytest.raises(CacheUnavailable):
            await read_all(pages)

        after = await reader.examine()
    assert after.server_id != before.server_id
    assert (before.members, after.members) == (3_000, 0)


async def test_a_server_that_is_emptied_in_the_middle_shows_in_its_facts(
    valkey: ValkeyServer,
) -> None:
    async with filled(valkey), board_reader(valkey.address) as reader:
        before = await reader.examine()
        pages = reader.pages()
        await anext(pages)
        async with valkey.client() as client:
            await client.flushall()

        reading = await read_all(pages)

        after = await reader.examine()
    assert reading.members[0] < before.boards["daily"].members * 0.999
    assert (after.server_id, after.members) == (before.server_id, 0)


async def test_a_half_open_connection_ends_in_time(proxy: TcpProxy, valkey: ValkeyServer) -> None:
    address = RedisAddress(port=proxy.port)
    async with filled(valkey), board_reader(address, timeout_seconds=0.5) as reader:
        pages = reader.pages()
        await anext(pages)
        proxy.go_silent()
        begun = time.monotonic()

        with pytest.raises(CacheUnavailable, match=r"no answer within 0\.5 s"):
            await read_all(pages)
        with pytest.raises(CacheUnavailable, match=r"no answer within 0\.5 s"):
            await reader.examine()

        assert time.monotonic() - begun < SOON
        await proxy.mend()
        assert (await reader.examine()).members == 3_000


async def test_a_server_that_drips_ends_in_time(proxy: TcpProxy, valkey: ValkeyServer) -> None:
    address = RedisAddress(port=proxy.port)
    async with filled(valkey), board_reader(address, timeout_seconds=0.5) as reader:
        proxy.slice_bytes = 1
        proxy.delay_seconds = 0.05
        begun = time.monotonic()

        with pytest.raises(CacheUnavailable, match=r"no answer within 0\.5 s, asked for INFO"):
            await reader.examine()

        assert time.monotonic() - begun < SOON


async def test_a_server_that_accepts_and_says_nothing_ends_in_time(proxy: TcpProxy) -> None:
    address = RedisAddress(port=proxy.port, username="u", password="p")
    proxy.go_silent()
    begun = time.monotonic()

    with pytest.raises(CacheUnavailable, match=r"no answer within 0\.5 s"):
        async with board_reader(address, timeout_seconds=0.5):
            pass

    assert time.monotonic() - begun < SOON


async def test_what_is_not_redis_is_told_apart() -> None:
    async with (
        raw_server(b"HTTP/1.1 400 Bad Request\r\n\r\n") as port,
        board_reader(RedisAddress(port=port)) as reader,
    ):
        with pytest.raises(CacheUnavailable, match="not Redis"):
            await reader.examine()


async def test_a_cancelled_question_is_not_answered_to_the_next(valkey: ValkeyServer) -> None:
    async with RawConnection(valkey.address, timeout_seconds=10.0) as line:
        for number in range(20):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.001 * number):
                    await line.ask_all(("ECHO", "first"), ("BLPOP", "nothing", 5))

            assert await line.ask("ECHO", f"mine{number}") == f"mine{number}".encode()


async def test_questions_of_several_tasks_get_their_own_replies(valkey: ValkeyServer) -> None:
    async with RawConnection(valkey.address, timeout_seconds=10.0) as line:
        replies = await asyncio.gather(*[line.ask("ECHO", str(number)) for number in range(50)])

    assert replies == [str(number).encode() for number in range(50)]


async def test_a_refusal_leaves_no_reply_behind(valkey: ValkeyServer) -> None:
    async with RawConnection(valkey.address, timeout_seconds=10.0) as line:
        with pytest.raises(SourceUnfit, match="refuses NOSUCH"):
            await line.ask_all(("ECHO", "1"), ("NOSUCH",), ("ECHO", "2"))

        assert await line.ask("ECHO", "mine") == b"mine"


async def test_an_unasked_reply_is_not_taken_for_the_next() -> None:
    def answer(command: list[bytes]) -> bytes:
        return b"+%s\r\n" % command[1] * (2 if command[1] == b"twice" else 1)

    async with (
        resp_server(answer) as port,
        RawConnection(RedisAddress(port=port), timeout_seconds=10.0) as line,
    ):
        assert await line.ask("ECHO", "twice") == b"twice"

        assert await line.ask("ECHO", "mine") == b"mine"


async def test_a_reading_that_is_left_or_cancelled_disturbs_no_other(valkey: ValkeyServer) -> None:
    async with filled(valkey), board_reader(valkey.address) as reader:
        pages = reader.pages()
        await anext(pages)
        await pages.aclose()
        for number in range(10):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.002 * number):
                    await read_all(reader.pages())

        reading = await read_all(reader.pages())

        assert set(reading.users) == set(USERS["daily"])
        assert await reader.absent(["user1", "nobody"]) == {"nobody"}
        async with valkey.client() as client:
            assert len(await client.client_list()) == 2


async def test_a_server_that_was_away_between_two_questions_is_asked_again(
    new_valkey: NewServer,
) -> None:
    server = new_valkey()
    async with board_reader(server.address) as reader:
        await reader.examine()
        server.kill()
        server.start()
        async with filled(server):
            pass

        assert (await reader.examine()).members == 3_000


async def test_a_server_is_asked_whether_it_is_there(new_valkey: NewServer) -> None:
    server = new_valkey()
    async with Cache(server.address, SystemClock()) as cache:
        assert await cache.ping() >= 0
        server.kill()
        with pytest.raises(CacheUnavailable, match="cannot use Redis"):
            await cache.ping()

        server.start(requirepass="right")
        with pytest.raises(CacheUnavailable, match="refuses to let us in"):
            await cache.ping()

        server.kill()
        server.start(requirepass="")
        async with filled(server):
            assert await cache.ping() >= 0


@pytest.mark.parametrize("is_trusted", [True, False])
async def test_an_encrypted_server_must_be_who_it_says(
    tmp_path: Path, valkey: ValkeyServer, monkeypatch: pytest.MonkeyPatch, is_trusted: bool
) -> None:
    authority = Authority.make(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.path))
    certificate = authority.server(signs_itself=not is_trusted)
    async with filled(valkey), tcp_proxy(Path(valkey.address.socket), certificate) as proxy:
        address = RedisAddress(port=proxy.port, tls=True)
        if is_trusted:
            async with board_reader(address) as reader:
                assert len((await read_all(reader.pages())).users) == 3_000
            return

        with pytest.raises(CacheUnavailable, match="certificate verify failed"):
            async with board_reader(address):
                pass
