"""Through PgBouncer in transaction mode: found by itself, and nothing is left to chance there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from fakes.clock import FakeClock
from fakes.mirroring import Members, mirroring
from fakes.pgbouncer import pgbouncer
from fakes.running import Running, draft, running
from fakes.waiting import until

from syncd.clock import SystemClock
from syncd.errors import LeaseLost
from syncd.model.account import UserEntry
from syncd.model.lease import Candidate
from syncd.model.run import Outcome
from syncd.store.database import Database
from syncd.store.leases import LeaseStore
from syncd.store.migrate import load_migrations, migrate
from syncd.store.runs import RunStore
from syncd.store.translation import Collided

pytestmark = pytest.mark.needs_tool("pgbouncer")

SWALLOWED = (
    "ignore_startup_parameters = search_path,lock_timeout,idle_in_transaction_session_timeout"
)
SETTINGS = "SELECT current_setting('search_path'), current_setting('lock_timeout')"


@pytest.fixture
async def world(bounced: Database) -> AsyncIterator[Running]:
    async with running(bounced, SystemClock()) as world:
        yield world


async def test_a_direct_connection_is_taken_for_one(database: Database) -> None:
    await database.ping()

    assert not database.is_pooled


@pytest.mark.parametrize("mode", ["transaction", "session"])
@pytest.mark.parametrize("ignored", ["", SWALLOWED])
async def test_a_pooler_is_found_whether_it_refuses_settings_or_swallows_them(
    database: Database, mode: str, ignored: str
) -> None:
    async with (
        pgbouncer(database.settings.address, mode=mode, size=10, more=ignored) as address,
        Database(replace(database.settings, address=address), SystemClock()) as bounced,
    ):
        await asyncio.gather(*(bounced.ping() for _ in range(20)))
        assert bounced.is_pooled
        async with bounced.connection() as connection:
            found = await connection.fetchrow(SETTINGS)

    assert tuple(found or ()) == (database.settings.schema, "10s")


async def test_many_uses_at_once_each_have_their_settings(bounced: Database) -> None:
    async def use(number: int) -> tuple[str, ...]:
        async with bounced.connection() as connection:
            if number % 7 == 0:
                await connection.execute("SET LOCAL lock_timeout TO '1s'")
            found = tuple(await connection.fetchrow(SETTINGS) or ())
        return found if number % 7 else (found[0], "10s")

    found = await asyncio.gather(*(use(number) for number in range(200)))

    assert set(found) == {(bounced.settings.schema, "10s")}


async def test_a_fresh_schema_is_migrated_through_it_by_one_of_several(
    database: Database,
) -> None:
    schema = f"fresh_{uuid4().hex[:8]}"
    async with pgbouncer(database.settings.address) as address:
        settings = replace(database.settings, address=address, schema=schema)
        applied = []
        for _ in range(3):
            async with Database(settings, SystemClock()) as bounced:
                applied += await asyncio.gather(migrate(bounced), migrate(bounced))

    assert sorted(map(len, applied)) == [0] * 5 + [len(load_migrations())]


async def test_json_goes_in_and_comes_out_as_values(bounced: Database) -> None:
    runs = RunStore(bounced, "one")
    number = await runs.create(draft(FakeClock()))

    run = await runs.read(number)

    assert run is not None
    assert run.options.only == ()


async def test_runs_are_done_through_it(world: Running) -> None:
    users = await world.link(250)

    first, second = await world.run(), await world.run(full=True)

    assert (first.outcome, first.report.created) == (Outcome.SUCCEEDED, 250)
    assert (second.outcome, second.report.unchanged) == (Outcome.SUCCEEDED, 250)
    assert len(users) == await world.value("SELECT count(*) FROM profiles")
    dry = await world.run(full=True, dry_run=True)
    assert dry.report.unchanged == 250


async def test_an_import_that_is_only_tried_leaves_nothing(world: Running) -> None:
    entries = [UserEntry(key=f"k{n}", accounts={"play": f"h{n}"}) for n in range(3_000)]

    tried = await world.users.put(entries, dry_run=True)
    assert (tried.created, await world.users.count()) == (3_000, 0)
    done = await world.users.put(entries)

    assert (done.created, await world.users.count()) == (3_000, 3_000)


async def test_an_error_inside_leaves_nothing_and_the_connection_fit(bounced: Database) -> None:
    async def fail() -> None:
        async with bounced.connection() as connection:
            await connection.execute("INSERT INTO users (key) VALUES ('half')")
            await connection.execute("INSERT INTO users (key) VALUES ('half')")

    for _ in range(20):
        with pytest.raises(Collided):
            await fail()

    async with bounced.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM users") == 0


async def test_who_is_cancelled_inside_leaves_no_transaction_open(
    bounced: Database, database: Database
) -> None:
    async def hold() -> None:
        async with bounced.connection() as connection:
            await connection.execute("INSERT INTO users (key) VALUES ('held')")
            await connection.fetch("SELECT pg_sleep(60)")

    async def sleeps() -> bool:
        async with database.connection() as connection:
            query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
            return bool(await connection.fetchval(query))

    holding = asyncio.create_task(hold())
    await until(sleeps, what="the sleeper")
    holding.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(holding, 5)

    async with bounced.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM users") == 0


async def test_the_lease_and_its_fence_hold_through_it(bounced: Database) -> None:
    leases, runs = LeaseStore(bounced), RunStore(bounced, "one")
    ttl = timedelta(minutes=5)

    def candidate(name: str) -> Candidate:
        return Candidate(holder=name, instance=name, version="1")

    epochs = await asyncio.gather(*(leases.take(candidate(f"p{n}"), ttl) for n in range(10)))
    assert sorted(epoch or 0 for epoch in epochs) == [0] * 9 + [1]
    runs.fence.open(1)
    number = await runs.create(draft(FakeClock()))
    await leases.release(1)
    assert await leases.take(candidate("next"), ttl) == 2

    with pytest.raises(LeaseLost):
        await runs.begin(number, FakeClock().now())

    run = await runs.read(number)
    assert run is not None
    assert run.outcome is Outcome.CLAIMED


async def test_users_are_mirrored_through_it_also_from_a_source_behind_another(
    bounced: Database, members: Members, tmp_path: Path
) -> None:
    await members.join(5_000)
    async with (
        pgbouncer(members.address) as source,
        mirroring(bounced, tmp_path, source) as mirror,
    ):
        first = await mirror.run()
        await members.tell("UPDATE members SET github = 'moved' WHERE id = 'm00007'")
        dry, second = await mirror.run(dry_run=True), await mirror.run()
        again = [await mirror.run() for _ in range(6)]
        handles = await mirror.handles()

    assert (first["outcome"], first["created"]) == ("succeeded", 5_000)
    assert (dry["updated"], second["updated"], second["unchanged"]) == (1, 1, 4_999)
    assert {run["unchanged"] for run in again} == {5_000}
    assert handles["m00007"] == "moved"
