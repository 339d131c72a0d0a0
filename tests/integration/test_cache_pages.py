"""Everybody on any board, once and as they are, whatever their ids and scores look like."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Mapping

import pytest
import redis.asyncio
from fakes.boards import BOARDS, NAMES, board_reader, fill, read_all
from fakes.resp_server import bulk, resp_server
from fakes.valkey import ValkeyServer

from syncd.model.address import RedisAddress
from syncd.model.leaderboard import Board


async def test_users_of_all_boards_are_found(each_server: ValkeyServer) -> None:
    async with each_server.client() as client, board_reader(each_server.address) as reader:
        await fill(
            client,
            {
                "daily": {"ada": 5, "bob": 2},
                "weekly": {"ada": 7, "cyd": 1.5},
                "yearly": {"ada": 9, "dan": 0},
            },
        )

        reading = await read_all(reader.pages())

    assert reading.users == {
        "ada": ("5", "7", None, "9", None),
        "bob": ("2", None, None, None, None),
        "cyd": (None, "1.5", None, None, None),
        "dan": (None, None, None, "0", None),
    }
    assert reading.members == [2, 2, 0, 2]


@pytest.mark.parametrize("size", [7, 1_000, 5_000])
async def test_boards_that_overlap_are_read_whole(valkey: ValkeyServer, size: int) -> None:
    boards = {
        name: {f"user{number}": number for number in range(begin * size // 2, size * 2)}
        for begin, name in enumerate(NAMES)
    }
    async with valkey.client() as client, board_reader(valkey.address) as reader:
        await fill(client, boards)

        reading = await read_all(reader.pages())

    assert reading.users == {
        f"user{number}": (*(_score(boards[name], f"user{number}") for name in NAMES), None)
        for number in range(size * 2)
    }
    assert reading.members == [len(boards[name]) for name in NAMES]


@pytest.mark.parametrize("several", list(itertools.combinations(range(4), 2)))
async def test_boards_without_a_common_user_are_read_whole(
    valkey: ValkeyServer, several: tuple[int, int]
) -> None:
    first, second = (NAMES[number] for number in several)
    boards: dict[str, dict[str | bytes, float | str]] = {
        first: {f"a{number}": 1 for number in range(700)},
        second: {f"b{number}": 2 for number in range(300)},
    }
    async with (
        valkey.client() as client,
        board_reader(valkey.address, boards=[BOARDS[each] for each in several]) as reader,
    ):
        await fill(client, boards)

        reading = await read_all(reader.pages())

    assert reading.users == {
        **{f"a{number}": ("1", None, None) for number in range(700)},
        **{f"b{number}": (None, "2", None) for number in range(300)},
    }
    assert reading.members == [700, 300]


@pytest.mark.parametrize("several", [*itertools.combinations(NAMES, 1), NAMES[:3]])
async def test_a_subset_of_boards_is_read_alone(
    valkey: ValkeyServer, several: tuple[str, ...]
) -> None:
    boards = [Board(name=name, key=f"leaderboard:{name}") for name in several]
    async with (
        valkey.client() as client,
        board_reader(valkey.address, boards=boards) as reader,
    ):
        await fill(client, {name: {f"only {name}": 3, "all": 1} for name in NAMES})

        reading = await read_all(reader.pages())

    assert set(reading.users) == {"all", *(f"only {name}" for name in several)}
    assert reading.members == [2] * len(several)


async def test_no_board_is_an_empty_reading(valkey: ValkeyServer) -> None:
    async with board_reader(valkey.address) as reader:
        reading = await read_all(reader.pages())

    assert reading.pages == 0


async def test_ids_arrive_as_they_are(valkey: ValkeyServer) -> None:
    ids = ["a\tb", "a\nb", "a\\b", "a\rb", 'a"b', "a'b", "zoë", "日本", "🙂", r"\N", r"\.", " "]
    boards: dict[str, dict[str | bytes, float | str]] = {
        "daily": {**dict.fromkeys(ids, 1), **{f"user{number}": 2 for number in range(500)}}
    }
    async with valkey.client() as client, board_reader(valkey.address) as reader:
        await fill(client, boards)

        reading = await read_all(reader.pages())

    assert set(ids) <= set(reading.users)
    assert reading.rows == 512
    assert reading.poisoned == []


async def test_poisoned_users_are_set_aside_with_a_reason(valkey: ValkeyServer) -> None:
    poisons: dict[str | bytes, float | str] = {
        "inf": "inf",
        "-inf": "-inf",
        "negative": -3,
        b"nul\0": 1,
        b"\xff\xfe": 1,
        "x" * 129: 1,
        "": 1,
    }
    fine: dict[str | bytes, float | str] = {f"user{number}": 2 for number in range(500)}
    async with valkey.client() as client, board_reader(valkey.address) as reader:
        await fill(client, {"daily": {**poisons, **fine}, "weekly": {"inf": 4, "user0": 5}})

        reading = await read_all(reader.pages())

    assert set(reading.users) == set(fine)
    assert {(each.user_id, each.reason) for each in reading.poisoned} == {
        ("inf", "the score on daily is inf"),
        ("-inf", "the score on daily is -inf"),
        ("negative", "the score on daily is -3"),
        (None, "the id holds a control character"),
        (None, "the id is not UTF-8"),
        ("x" * 129, "the id has 129 characters, more than 128"),
        ("", "the id is empty"),
    }
    assert reading.members == [507, 2, 0, 0]


async def test_a_score_that_is_no_number_sets_its_user_aside() -> None:
    def answer(command: list[bytes]) -> bytes:
        if command[0] == b"ZSCAN":
            return b"*2\r\n$1\r\n0\r\n" + bulk(b"ada", b"1", b"bob", b"nan")
        return b":2\r\n"

    async with resp_server(answer) as port:
        address = RedisAddress(port=port)
        async with board_reader(address, boards=BOARDS[:1], details="") as reader:
            reading = await read_all(reader.pages())

    assert set(reading.users) == {"ada"}
    assert [each.reason for each in reading.poisoned] == ["the score on daily is nan"]


async def test_empty_pages_and_repeated_members_do_no_harm() -> None:
    pages = {
        b"0": (b"7", ()),
        b"7": (b"9", (b"ada", b"1", b"bob", b"2")),
        b"9": (b"3", ()),
        b"3": (b"0", (b"bob", b"3")),
    }

    def answer(command: list[bytes]) -> bytes:
        if command[0] == b"ZSCAN":
            cursor, found = pages[command[2]]
            return b"*2\r\n$1\r\n%s\r\n" % cursor + bulk(*found)
        if command[0] == b"ZMSCORE":
            return bulk(*[None for _ in command[2:]]) if command[2:] else b"-ERR arguments\r\n"
        return b":2\r\n" if command[-1] == b"leaderboard:daily" else b":0\r\n"

    async with (
        resp_server(answer) as port,
        board_reader(RedisAddress(port=port), details="") as reader,
    ):
        reading = await read_all(reader.pages())

    assert set(reading.users) == {"ada", "bob"}
    assert (reading.rows, reading.pages) == (3, 2)
    assert reading.members == [3, 0, 0, 0]


async def test_any_state_of_the_boards_is_read_as_it_is(each_server: ValkeyServer) -> None:
    chance = random.Random(6)
    ids = [f"user{number}" for number in range(600)] + ["zoë", "a\\b", "a\tb"]
    async with each_server.client() as client, board_reader(each_server.address) as reader:
        for _ in range(40):
            await client.flushall()
            boards: dict[str, dict[str | bytes, float | str]] = {}
            for name in NAMES:
                users = chance.sample(ids, chance.choice([0, 1, 130, 300, len(ids)]))
                boards[name] = {user: chance.randrange(1_000) for user in users}
            await fill(client, {name: scores for name, scores in boards.items() if scores})

            reading = await read_all(reader.pages())

            assert reading.users == {
                user: (*(_score(boards[name], user) for name in NAMES), None)
                for user in set().union(*boards.values())
            }
            assert reading.members == [len(boards[name]) for name in NAMES]


async def test_whole_numbers_beyond_doubles_come_as_redis_holds_them(
    each_server: ValkeyServer,
) -> None:
    async with each_server.client() as client, board_reader(each_server.address) as reader:
        await fill(client, {"daily": {"ada": "9007199254740993", "bob": "1e20", "cyd": "0.1"}})

        reading = await read_all(reader.pages())

    scores = {user: float(values[0] or "nan") for user, values in reading.users.items()}
    assert scores == {"ada": 9007199254740992, "bob": 1e20, "cyd": 0.1}


async def test_details_tell_when_a_score_changed(each_server: ValkeyServer) -> None:
    details = {
        "aware": '{"updated_at": "2026-03-01T18:00:00+05:30"}',
        "naive": '{"updated_at": "2026-03-01T12:30:00", "name": "x"}',
        "seconds": '{"updated_at": 1772368200}',
        "milliseconds": '{"updated_at": 1772368200000}',
        "broken": '{"updated_at": ',
        "nested": "[" * 100_000,
        "text": b"\xff",
        "silent": "{}",
    }
    async with each_server.client() as client, board_reader(each_server.address) as reader:
        await fill(client, {"daily": dict.fromkeys([*details, "list", "none"], 1)})
        await client.mset({f"user:details:{user}": value for user, value in details.items()})
        await client.rpush("user:details:list", "x")

        reading = await read_all(reader.pages())

    told = {user: values[4] for user, values in reading.users.items()}
    assert {user for user, instant in told.items() if instant} == {
        "aware",
        "naive",
        "seconds",
        "milliseconds",
    }
    assert set(told.values()) == {None, "2026-03-01T12:30:00+00:00"}
    assert reading.unreadable == 3


async def test_details_are_found_for_everybody_on_large_pages(valkey: ValkeyServer) -> None:
    users = [f"user{number}" for number in range(3_000)]
    async with valkey.client() as client, board_reader(valkey.address, page=2_000) as reader:
        await fill(client, {"daily": dict.fromkeys(users, 1)})
        await client.mset(
            {
                f"user:details:{user}": f'{{"updated_at": {number}}}'
                for number, user in enumerate(users)
            }
        )

        reading = await read_all(reader.pages())

    assert reading.users["user0"][4] == "1970-01-01T00:00:00+00:00"
    assert reading.users["user2999"][4] == "1970-01-01T00:49:59+00:00"


async def test_nobody_who_stays_is_missed_while_others_come_and_go(valkey: ValkeyServer) -> None:
    staying: dict[str, dict[str | bytes, float | str]] = {
        name: {f"stays{number}": 1 for number in range(3_000)} for name in NAMES[:2]
    }
    staying["weekly"]["weekly only"] = 1
    written = 0
    is_over = asyncio.Event()

    async def write(client: redis.asyncio.Redis) -> None:
        nonlocal written
        for turn in itertools.count():
            pipeline = client.pipeline(transaction=False)
            for number in range(100):
                pipeline.zincrby("leaderboard:daily", 1, f"stays{(turn * 100 + number) % 3_000}")
                pipeline.zadd("leaderboard:daily", {f"comes{turn}.{number}": 1})
                pipeline.zrem("leaderboard:daily", f"comes{turn - 30}.{number}")
            await pipeline.execute()
            written += 300
            # Cancelled, it could go on: redis-py waits in a way that may swallow that.
            if is_over.is_set():
                return

    async with valkey.client() as client, board_reader(valkey.address) as reader:
        await fill(client, staying)
        async with asyncio.TaskGroup() as group:
            group.create_task(write(client))
            try:
                for _ in range(3):
                    written = 0

                    reading = await read_all(reader.pages())

                    assert written > 0
                    assert {*staying["daily"], "weekly only"} <= set(reading.users)
                    for name, members in zip(NAMES, reading.members, strict=True):
                        assert members >= len(staying.get(name, ()))
            finally:
                is_over.set()


async def test_a_pause_is_made_between_pages(valkey: ValkeyServer) -> None:
    async with valkey.client() as client, board_reader(valkey.address, pause=0.05) as reader:
        await fill(client, {"daily": {f"user{number}": 1 for number in range(500)}})
        loop = asyncio.get_running_loop()
        begun = loop.time()

        reading = await read_all(reader.pages())

        assert loop.time() - begun >= 0.05 * (reading.pages - 1)
        assert reading.pages > 2


def _score(board: Mapping[str | bytes, float | str], user: str | bytes) -> str | None:
    return str(board[user]) if user in board else None
