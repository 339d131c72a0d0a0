"""Who changed since the last run, who is gone, and scores that are put back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from fakes.boards import board_reader, fill, read_all
from fakes.valkey import NewServer, ValkeyServer

from syncd.errors import SourceUnfit

NOBODY: frozenset[str] = frozenset()


async def test_those_who_are_on_no_board_are_absent(each_server: ValkeyServer) -> None:
    async with each_server.client() as client, board_reader(each_server.address) as reader:
        await fill(client, {"daily": {"ada": 0}, "yearly": {"zoë": 3, "a\tb": 1}})
        asked = ["ada", "zoë", "a\tb", *(f"gone{number}" for number in range(250))]

        gone = await reader.absent(asked)

    assert gone == set(asked[3:])


async def test_a_claim_takes_the_changed_users_away(each_server: ValkeyServer) -> None:
    async with each_server.client() as client, board_reader(each_server.address) as reader:
        await fill(client, {"daily": {"ada": 5, "bob": 1}, "weekly": {"cyd": 2}})
        await client.sadd("lb:dirty", "ada", "cyd", "nobody")

        assert await reader.claim_dirty("lb:dirty", "lb:dirty:syncd:job")
        await client.sadd("lb:dirty", "bob")
        reading = await read_all(reader.claimed("lb:dirty:syncd:job"))
        await reader.drop("lb:dirty:syncd:job")

        assert reading.users == {
            "ada": ("5", None, None, None, None),
            "cyd": (None, "2", None, None, None),
        }
        assert reading.members == [1, 1, 0, 0]
        assert not await client.exists("lb:dirty:syncd:job")
        assert await client.smembers("lb:dirty") == {b"bob"}


async def test_a_claim_that_was_left_goes_first(valkey: ValkeyServer) -> None:
    async with valkey.client() as client, board_reader(valkey.address) as reader:
        await fill(client, {"daily": {"ada": 5, "bob": 1}})
        await client.sadd("claim", "ada")
        await client.sadd("lb:dirty", "bob")

        assert await reader.claim_dirty("lb:dirty", "claim")
        assert set((await read_all(reader.claimed("claim"))).users) == {"ada"}
        await reader.drop("claim")
        assert await reader.claim_dirty("lb:dirty", "claim")
        assert set((await read_all(reader.claimed("claim"))).users) == {"bob"}
        await reader.drop("claim")
        assert not await reader.claim_dirty("lb:dirty", "claim")


async def test_many_changed_users_come_with_their_details(valkey: ValkeyServer) -> None:
    users = [f"user{number}" for number in range(2_000)]
    async with valkey.client() as client, board_reader(valkey.address) as reader:
        await fill(client, {"weekly": dict.fromkeys(users[:1_500], 1)})
        await client.mset({f"user:details:{user}": '{"updated_at": 60}' for user in users})
        await client.sadd("claim", *users)

        reading = await read_all(reader.claimed("claim"))

    told = (None, "1", None, None, "1970-01-01T00:01:00+00:00")
    assert reading.users == dict.fromkeys(users[:1_500], told)
    assert reading.members == [0, 1_500, 0, 0]


async def test_a_poisoned_user_who_changed_is_set_aside(valkey: ValkeyServer) -> None:
    async with valkey.client() as client, board_reader(valkey.address) as reader:
        await fill(client, {"weekly": {"ada": "inf", "bob": 1}})
        await client.sadd("claim", "ada", "bob", b"\xff")

        reading = await read_all(reader.claimed("claim"))

    assert set(reading.users) == {"bob"}
    assert [each.user_id for each in reading.poisoned] == ["ada"]


async def test_a_changed_set_that_is_something_else_stays_as_it_is(valkey: ValkeyServer) -> None:
    async with valkey.client() as client, board_reader(valkey.address) as reader:
        await client.set("lb:dirty", "text")

        with pytest.raises(SourceUnfit, match="lb:dirty is a string, not a set"):
            await reader.claim_dirty("lb:dirty", "claim")

        assert await client.get("lb:dirty") == b"text"


async def test_a_replica_lets_nothing_be_claimed(new_valkey: NewServer) -> None:
    replica = new_valkey()
    async with replica.client() as client, board_reader(replica.address) as reader:
        await client.sadd("lb:dirty", "ada")
        await client.replicaof("127.0.0.1", 1)

        with pytest.raises(SourceUnfit, match="refuses RENAMENX lb:dirty") as caught:
            await reader.claim_dirty("lb:dirty", "claim")

    assert "a replica takes no writes" in (caught.value.hint or "")


async def test_scores_are_put_back_where_there_are_none(each_server: ValkeyServer) -> None:
    lines = [
        ("ada", [5.0, 0.1, None, 9.0]),
        ("bob", [0.0, 2.0, 2.0**53, None]),
        ("zoë", [1.0, None, None, None]),
    ]
    async with each_server.client() as client, board_reader(each_server.address) as reader:
        await fill(client, {"daily": {"ada": 7}})

        planned = await reader.restore(lines, frozenset({"yearly"}), is_dry=True)
        assert await client.dbsize() == 1
        added = await reader.restore(lines, frozenset({"yearly"}))
        again = await reader.restore(lines, frozenset({"yearly"}))

        assert (planned, added, again) == (4, 4, 0)
        assert await client.zrange("leaderboard:daily", 0, -1, withscores=True) == [
            ("zoë".encode(), 1.0),
            (b"ada", 7.0),
        ]
        assert await client.zscore("leaderboard:weekly", "ada") == 0.1
        assert await client.zscore("leaderboard:monthly", "bob") == 2.0**53
        assert not await client.exists("leaderboard:yearly")


async def test_what_was_put_back_is_read_as_it_was(valkey: ValkeyServer) -> None:
    scores = [0.1, 1e300, 5e-324, 123456.789, float(2**53)]
    async with board_reader(valkey.address) as reader:
        await reader.restore([(str(score), [score, None, None, None]) for score in scores], NOBODY)

        reading = await read_all(reader.pages())

    assert {float(values[0] or 0) for values in reading.users.values()} == set(scores)


async def test_a_board_expires_again_when_it_did(valkey: ValkeyServer) -> None:
    async with valkey.client() as client, board_reader(valkey.address) as reader:
        await fill(client, {"daily": {"ada": 1}, "weekly": {"ada": 1}})
        at = datetime.now(UTC) + timedelta(hours=2)

        await reader.expire("daily", at)
        await reader.expire("weekly", datetime.now(UTC) - timedelta(hours=2))

        facts = await reader.examine()
    expiry = facts.boards["daily"].expires_at
    assert expiry is not None
    assert abs(expiry - at) < timedelta(minutes=1)
    assert facts.boards["weekly"].members == 1
    assert facts.boards["weekly"].expires_at is None
