"""A Redis that is away, loads, follows a dead master, evicts or holds something else."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from fakes.boards import fill
from fakes.clock import FakeClock
from fakes.running import JOB, running
from fakes.upset import PROMPT, Upset, upset
from fakes.valkey import NewServer, ValkeyServer
from fakes.waiting import until

from syncd.jobs.boards import LeaderboardOptions
from syncd.jobs.leaderboard import Leaderboard
from syncd.model.run import Outcome, Run
from syncd.store.database import Database

USERS: dict[str | bytes, float | str] = {f"user{number:03}": number + 1 for number in range(300)}
GONE = ("user000", "user001")


@contextlib.asynccontextmanager
async def synced(database: Database, server: ValkeyServer, **options: Any) -> AsyncIterator[Upset]:
    """A table that follows its boards, and two users who are to be deleted by the next run."""
    async with upset(database, server, guard=PROMPT, **options) as world:
        await world.fill(daily=USERS, yearly=USERS)
        assert (await world.sync()).outcome is Outcome.SUCCEEDED
        await world.remove(*GONE)
        yield world


async def failed_untouched(world: Upset, run: Run, before: Any) -> tuple[str, str]:
    """Return how a failed run puts it, after a look at what it has written: nothing."""
    assert run.outcome is Outcome.FAILED
    assert await world.written() == before
    assert await world.world.rows("SELECT FROM leaderboard_missing") == []
    assert (run.report.seen, run.report.deleted) == (0, 0)
    return run.error, run.hint


async def caught_up(world: Upset) -> None:
    """Let the next run do what the one that failed should have done."""
    run = await world.sync()
    assert (run.outcome, run.report.deleted) == (Outcome.SUCCEEDED, 2)
    assert await world.table() == await world.boards()


async def test_a_redis_that_is_down_fails_the_run(
    database: Database, new_valkey: NewServer
) -> None:
    async with synced(database, server := new_valkey()) as world:
        server.tell("SAVE")
        before = await world.written()
        server.kill()

        run = await world.sync()

        error, hint = await failed_untouched(world, run, before)
        assert run.retryable
        assert error.startswith(f"cannot use Redis {server.address}")
        assert hint == "check that the server runs and that [redis] names it rightly"
        server.start()
        await caught_up(world)


async def test_a_redis_that_loads_is_waited_for(database: Database, new_valkey: NewServer) -> None:
    async with synced(database, server := new_valkey()) as world:
        await slow_to_load(server)
        begun = time.monotonic()

        await caught_up(world)

        assert time.monotonic() - begun > 1.0


async def test_a_redis_that_loads_for_more_than_a_minute_fails_the_run(
    database: Database, new_valkey: NewServer
) -> None:
    server, clock = new_valkey(), FakeClock()
    options = LeaderboardOptions.model_validate({"guard": PROMPT})
    async with (
        synced(database, server) as world,
        running(database, clock, holder="two", redis=server.address) as hasty,
    ):
        before = await world.written()
        await slow_to_load(server)
        begun = clock.monotonic()

        run = await clock.run(hasty.run(Leaderboard(JOB, options)))

        error, _ = await failed_untouched(world, run, before)
        assert error == f"Redis {server.address} still loads its data"
        assert run.retryable
        assert 60 <= clock.monotonic() - begun <= 62
        await until(lambda: has_loaded(server), what="the server to have loaded")
        await caught_up(world)


async def slow_to_load(server: ValkeyServer) -> None:
    """Start a server anew that is busy with its data for two seconds."""
    async with server.client() as client:
        await client.mset({f"other{number}": os.urandom(500) for number in range(400)})
        await client.save()
    server.kill()
    server.start(key_load_delay="5000", loading_process_events_interval_bytes="1024")


async def has_loaded(server: ValkeyServer) -> bool:
    async with server.client() as client:
        info = await client.info("persistence")
    return not info["loading"]


async def test_a_replica_whose_master_died_is_not_believed(
    database: Database, new_valkey: NewServer
) -> None:
    master = new_valkey(port=None, repl_diskless_sync_delay="0")
    replica = new_valkey(port=None)
    async with synced(database, replica) as world:
        async with master.client() as client:
            await fill(client, {"daily": USERS})
        await world.tell("REPLICAOF", "127.0.0.1", master.port)
        await until(lambda: link(replica, "up"), what="the replica to follow")
        for user in GONE:
            master.tell("ZREM", "leaderboard:daily", user)
        await until(lambda: follows(world), what="the replica to hear of it")
        before = await world.written()
        master.kill()
        await until(lambda: link(replica, "down"), what="the replica to notice")

        run = await world.sync()

        error, hint = await failed_untouched(world, run, before)
        assert "a replica that lost its master, what it holds may be old" in error
        assert "stale_replica = true" in hint
        bold = await world.sync(world.job(stale_replica=True), dry_run=True)
        assert bold.outcome is Outcome.SUCCEEDED
        await world.tell("REPLICAOF", "NO", "ONE")
        await caught_up(world)


async def link(replica: ValkeyServer, state: str) -> bool:
    async with replica.client() as client:
        info = await client.info("replication")
    return bool(info["master_link_status"] == state)


async def follows(world: Upset) -> bool:
    return not set(GONE) & (await world.boards()).keys()


async def test_a_redis_that_may_evict_boards_deletes_nobody_unasked(
    database: Database, new_valkey: NewServer
) -> None:
    server = new_valkey(maxmemory_policy="allkeys-lru", maxmemory="100mb")
    async with synced(database, server) as world:
        run = await world.sync()

        assert (run.outcome, run.report.deleted) == (Outcome.SUCCEEDED, 0)
        assert run.report.failures == {"waiting": 2}
        assert (await world.told(run)).notes == (
            "this Redis may evict boards for want of memory: only approved rows are deleted",
        )
        assert len(await world.table()) == 300
        await world.tell("CONFIG", "SET", "maxmemory-policy", "noeviction")
        await caught_up(world)


async def test_a_board_that_was_evicted_is_asked_about(
    database: Database, new_valkey: NewServer
) -> None:
    async with synced(database, server := new_valkey()) as world:
        before = await world.written()
        await evict(server)

        run = await world.sync()

        assert (run.outcome, run.report.deleted) == (Outcome.HELD, 0)
        assert "keys for want of memory since the last complete run" in run.error
        assert "--deletes N" in run.hint
        assert await world.written() == before

        await world.fill(daily=USERS, yearly=USERS)
        await world.remove(*GONE)
        await world.sync()
        await world.approve()
        await caught_up(world)
        # What a person has seen to is no alarm any more.
        await world.remove("user002")
        later = await world.sync()
        assert (later.outcome, later.report.deleted) == (Outcome.SUCCEEDED, 1)


async def test_an_eviction_that_cost_nobody_his_place_holds_nothing(
    database: Database, new_valkey: NewServer
) -> None:
    async with synced(database, server := new_valkey()) as world:
        await world.fill(daily=USERS)
        await evict(server)
        await world.fill(daily=USERS, yearly=USERS)

        assert (await world.sync()).outcome is Outcome.SUCCEEDED

        await world.remove(*GONE)
        await caught_up(world)


async def evict(server: ValkeyServer) -> None:
    """Let the server throw away all that it has, and be as careful as before."""
    async with server.client() as client:
        limit = (await client.info("memory"))["used_memory"]
        await client.config_set("maxmemory-policy", "allkeys-random")
        await client.config_set("maxmemory", limit // 2)
        with contextlib.suppress(Exception):
            await client.set("other", "key")
        await client.config_set("maxmemory", 0)
        await client.config_set("maxmemory-policy", "noeviction")
        assert (await client.info("stats"))["evicted_keys"] > 0


async def test_a_server_that_was_started_anew_with_less_is_believed_once_it_was_approved(
    database: Database, new_valkey: NewServer
) -> None:
    async with synced(database, server := new_valkey()) as world:
        await world.tell("DEL", "leaderboard:daily")
        server.tell("SAVE")
        server.restart()

        run = await world.sync()

        assert (run.outcome, run.report.deleted) == (Outcome.HELD, 0)
        assert run.error == "Redis was started anew and holds 298 members instead of 600"
        assert (await world.approve()).deletes == 2
        await caught_up(world)
        assert (await world.sync()).outcome is Outcome.SUCCEEDED


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        (("SET", "leaderboard:weekly", "text"), "leaderboard:weekly (board weekly) is a string"),
        (("HSET", "leaderboard:weekly", "a", "b"), "leaderboard:weekly (board weekly) is a hash"),
    ],
)
async def test_a_board_that_is_something_else_fails_the_run(
    database: Database, valkey: ValkeyServer, wrong: tuple[str, ...], named: str
) -> None:
    async with synced(database, valkey) as world:
        before = await world.written()
        await world.tell(*wrong)

        run = await world.sync()

        error, hint = await failed_untouched(world, run, before)
        assert f"{named}, not a sorted set" in error
        assert hint == "name the keys of the boards by prefix or keys, or remove what is there"
        await world.tell("DEL", "leaderboard:weekly")
        await caught_up(world)


async def test_a_board_that_becomes_something_else_in_the_middle_fails_the_run(
    database: Database, valkey: ValkeyServer
) -> None:
    async with synced(database, valkey) as world:
        before = await world.written()
        world.after_page[1] = lambda: valkey.tell("SET", "leaderboard:weekly", "text")

        run = await world.sync()

        error, hint = await failed_untouched(world, run, before)
        assert re.search(r"refuses Z\w+ leaderboard:weekly: WRONGTYPE", error)
        assert hint == "name another key, or remove what is there"
        await world.tell("DEL", "leaderboard:weekly")
        await caught_up(world)


async def test_a_board_whose_period_ended_takes_scores_and_nobody_away(
    database: Database, valkey: ValkeyServer
) -> None:
    async with upset(database, valkey, guard=PROMPT) as world:
        await world.fill(daily={"ada": 5, "bob": 2}, weekly={"ada": 9, "cyd": 1}, yearly={"bob": 7})
        await world.sync()
        await expire(world, "daily")

        run = await world.sync()

        assert (run.outcome, run.report.updated, run.report.deleted) == (Outcome.SUCCEEDED, 2, 0)
        assert await world.table() == {
            "ada": (0, 9, 0, 0),
            "bob": (0, 0, 0, 7),
            "cyd": (0, 1, 0, 0),
        }


async def test_boards_that_all_expired_are_asked_about(
    database: Database, valkey: ValkeyServer
) -> None:
    async with synced(database, valkey) as world:
        before = await world.written()
        await expire(world, "daily", "yearly")

        run = await world.sync()

        assert (run.outcome, run.report.deleted) == (Outcome.HELD, 0)
        assert run.error == "Redis holds nobody on any board, the table 300 rows"
        assert await world.written() == before
        await world.fill(daily=USERS, yearly=USERS)
        assert (await world.sync()).outcome is Outcome.SUCCEEDED
        await world.remove(*GONE)
        await caught_up(world)


async def expire(world: Upset, *names: str) -> None:
    for name in names:
        await world.tell("PEXPIRE", f"leaderboard:{name}", 1)

    async def ask() -> bool:
        return not await world.tell("EXISTS", *[f"leaderboard:{name}" for name in names])

    await until(ask, what="the boards to expire")


async def test_details_that_are_missing_or_cannot_be_read_cost_nobody_his_score(
    database: Database, valkey: ValkeyServer
) -> None:
    async with upset(database, valkey, guard=PROMPT) as world:
        await world.fill(daily={"ada": 5, "bob": 2, "cyd": 1, "dee": 3})
        await world.tell("SET", "user:details:ada", '{"updated_at": "2026-01-02T03:04:05Z"}')
        await world.tell("SET", "user:details:bob", "{")
        await world.tell("HSET", "user:details:cyd", "updated_at", "2026-01-02T03:04:05Z")

        run = await world.sync()

        assert (run.outcome, run.report.created) == (Outcome.SUCCEEDED, 4)
        assert await world.table() == await world.boards()
        assert (await world.told(run)).unreadable_details == 1
