"""The lease on a real PostgreSQL: one holder at a time, by the database's clock alone."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from time import perf_counter

import asyncpg
import pytest
from fakes.mirroring import connect
from fakes.waiting import until

from syncd.clock import SystemClock
from syncd.errors import LeaseLost, StoreUnavailable
from syncd.model.lease import Candidate
from syncd.store.database import Database
from syncd.store.fence import Fence
from syncd.store.leases import LeaseStore

LONG = timedelta(minutes=5)
SHORT = timedelta(milliseconds=300)


def candidate(name: str, instance: str = "") -> Candidate:
    return Candidate(holder=name, instance=instance or name, listen="here:1", version="1")


@pytest.fixture
def leases(database: Database) -> LeaseStore:
    return LeaseStore(database)


def opened(epoch: int | None) -> Fence:
    fence = Fence()
    assert epoch is not None
    fence.open(epoch)
    return fence


async def test_of_twenty_that_ask_at_once_one_leads(leases: LeaseStore) -> None:
    assert await leases.read() is None, "nobody ever led"

    epochs = await asyncio.gather(*(leases.take(candidate(f"p{n}"), LONG) for n in range(20)))

    assert sorted(epochs, key=lambda epoch: epoch or 0) == [None] * 19 + [1]
    lease = await leases.read()
    assert lease is not None
    assert lease.holder == f"p{epochs.index(1)}"
    assert lease.epoch == 1
    assert 290 < lease.seconds_left <= 300


async def test_a_lease_that_ran_out_is_another_ones_with_another_epoch(leases: LeaseStore) -> None:
    assert await leases.take(candidate("one"), SHORT) == 1
    assert await leases.take(candidate("two"), SHORT) is None
    await asyncio.sleep(0.4)

    assert await leases.take(candidate("two"), LONG) == 2
    assert not await leases.renew(1, LONG)
    assert await leases.renew(2, LONG)


async def test_a_lease_that_ran_out_and_that_nobody_took_may_still_be_renewed(
    leases: LeaseStore,
) -> None:
    assert await leases.take(candidate("one"), SHORT) == 1
    await asyncio.sleep(0.4)

    assert await leases.renew(1, LONG)
    assert await leases.take(candidate("two"), LONG) is None


async def test_the_same_state_directory_takes_over_at_once(leases: LeaseStore) -> None:
    assert await leases.take(candidate("before", "here"), LONG) == 1
    assert await leases.take(candidate("elsewhere"), LONG) is None
    assert await leases.take(candidate("after", "here"), LONG) == 2


async def test_who_releases_is_followed_at_once_and_only_the_holder_can(
    leases: LeaseStore,
) -> None:
    await leases.take(candidate("one"), LONG)
    await leases.release(7)
    assert await leases.take(candidate("two"), LONG) is None

    await leases.release(1)

    assert await leases.read() is None
    assert await leases.take(candidate("two"), LONG) == 2


async def test_a_takeover_waits_for_a_write_that_has_shown_its_epoch_and_a_renewal_does_not(
    database: Database, leases: LeaseStore
) -> None:
    fence = opened(await leases.take(candidate("one"), SHORT))
    await asyncio.sleep(0.4)
    async with asyncio.TaskGroup() as group:
        async with fence.transaction(database) as connection:
            taking = group.create_task(leases.take(candidate("two"), LONG))
            await waiting_for_a_lock(database)
            await connection.execute("INSERT INTO users (key) VALUES ('in time')")
        assert await taking == 2

    with pytest.raises(LeaseLost):
        async with fence.transaction(database) as connection:
            await connection.execute("INSERT INTO users (key) VALUES ('too late')")
    assert fence.refused.is_set()

    fence = opened(2)
    async with fence.transaction(database):
        assert await asyncio.wait_for(leases.renew(2, LONG), 5), "nobody waits for a renewal"
    async with database.connection() as connection:
        keys = [row["key"] for row in await connection.fetch("SELECT key FROM users")]
    assert keys == ["in time"]


async def waiting_for_a_lock(database: Database) -> None:
    async def ask() -> bool:
        async with database.connection() as connection:
            return bool(
                await connection.fetchval(
                    "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                )
            )

    await until(ask, what="a takeover to wait")


async def test_who_was_frozen_inside_a_write_holds_up_the_next_leader_no_longer_than_its_lease(
    database: Database, leases: LeaseStore
) -> None:
    settings = replace(database.settings, idle_timeout=timedelta(seconds=1))
    async with Database(settings, SystemClock()) as frozen:
        fence = opened(await leases.take(candidate("one"), SHORT))

        async def write() -> None:
            async with fence.transaction(frozen) as connection:
                await connection.execute("INSERT INTO users (key) VALUES ('half')")
                began = perf_counter()
                await asyncio.sleep(0.4)
                assert await leases.take(candidate("two"), LONG) == 2
                assert perf_counter() - began < 5
                await connection.execute("INSERT INTO users (key) VALUES ('other half')")

        with pytest.raises(StoreUnavailable):
            await write()
    async with database.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM users") == 0


async def test_a_fence_that_is_closed_asks_nobody(database: Database) -> None:
    fence = Fence()
    fence.close()
    await database.disconnect()

    with pytest.raises(LeaseLost):
        async with fence.transaction(database):
            raise AssertionError


async def test_a_holder_whose_clock_is_ten_minutes_off_changes_nothing(
    database: Database, leases: LeaseStore
) -> None:
    # Whatever it thinks of the time, it tells a duration: the database adds it to its own clock.
    await leases.take(candidate("one"), LONG)
    address = database.settings.address
    connection: asyncpg.Connection = await connect(address)
    left = await connection.fetchval(
        f"SELECT expires_at - clock_timestamp() FROM {database.settings.schema}.leases"  # noqa: S608
    )
    await connection.close()

    assert timedelta(minutes=4, seconds=50) < left <= LONG
