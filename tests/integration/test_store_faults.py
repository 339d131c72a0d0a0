"""PostgreSQL that breaks off: what was promised as one is kept as one, and counted once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from time import perf_counter

import pytest
from fakes.far_database import kill_all
from fakes.running import PLAY, Running, draft, profile_of, running
from fakes.tcp_proxy import TcpProxy
from fakes.waiting import until

from syncd.clock import SystemClock
from syncd.errors import StoreUnavailable
from syncd.model.item import Success
from syncd.model.run import Run, RunId
from syncd.store.accounts import START, Selection
from syncd.store.database import Database
from syncd.store.sync import Batch

STORED = "SELECT count(*) FROM profiles"


@pytest.fixture
async def world(far: Database) -> AsyncIterator[Running]:
    async with running(far, SystemClock()) as world:
        yield world


async def test_a_line_that_goes_silent_costs_no_more_than_its_deadline(
    far: Database, proxy: TcpProxy
) -> None:
    await far.ping()
    proxy.go_silent()
    begun = perf_counter()

    with pytest.raises(StoreUnavailable):
        await far.ping()

    assert perf_counter() - begun < 8
    await proxy.cut()
    await proxy.mend()
    assert await far.ping() >= 0


async def test_a_connection_that_was_cut_is_replaced_by_the_next_use(
    far: Database, proxy: TcpProxy
) -> None:
    await far.ping()
    await proxy.cut()
    with pytest.raises(StoreUnavailable):
        await far.ping()

    await proxy.mend()

    assert await far.ping() >= 0


async def test_a_connection_killed_inside_a_transaction_leaves_nothing(
    far: Database, database: Database
) -> None:
    async def half() -> None:
        async with far.transaction() as connection:
            await connection.execute("INSERT INTO users (key) VALUES ('half')")
            await kill_all(database)
            await connection.execute("INSERT INTO users (key) VALUES ('other half')")

    with pytest.raises(StoreUnavailable):
        await half()

    async with database.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM users") == 0


async def test_a_transaction_on_a_line_that_goes_silent_costs_its_deadline_once(
    far: Database, proxy: TcpProxy
) -> None:
    begun = 0.0

    async def half() -> None:
        nonlocal begun
        async with far.transaction() as connection:
            await connection.execute("INSERT INTO users (key) VALUES ('half')")
            proxy.go_silent()
            begun = perf_counter()
            await connection.execute("INSERT INTO users (key) VALUES ('other half')")

    with pytest.raises(StoreUnavailable, match="no answer in time"):
        await half()

    assert perf_counter() - begun < 1.6 * far.settings.command_timeout.total_seconds()


async def test_a_batch_on_a_line_that_goes_silent_costs_its_deadline_once(
    world: Running, proxy: TcpProxy
) -> None:
    batch = await batch_of(world)
    proxy.go_silent()
    begun = perf_counter()

    with pytest.raises(StoreUnavailable, match="no answer in time"):
        await world.around.stores.sync.commit(batch)

    took = perf_counter() - begun
    assert took < 1.6 * world.database.settings.command_timeout.total_seconds()


async def batch_of(world: Running) -> Batch:
    await world.link(20)
    accounts = world.around.stores.accounts
    await accounts.enroll("profiles", [(PLAY, "main")])
    number = await world.start_nothing()
    run = await world.runs.begin(number, world.clock.now())
    assert run.started_at is not None
    selection = Selection(kind="profiles", platforms=(PLAY,), began_at=run.started_at)
    claims = await accounts.claim(selection, PLAY, number, START, 100)
    return Batch(
        run_id=number,
        kind="profiles",
        platform=PLAY,
        mapper_version=1,
        items=[
            Success(account=claim.account, answer=profile_of(claim.account)) for claim in claims
        ],
        calls=20,
        saved=0,
        at=run.started_at,
    )


async def test_a_commit_whose_reply_is_lost_is_counted_once(
    world: Running, database: Database, proxy: TcpProxy
) -> None:
    batch = await batch_of(world)
    number = batch.run_id
    async with database.connection() as connection:
        # A deferred trigger runs inside COMMIT and lets the line die before the reply.
        await connection.execute(
            """
            CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql
            AS $$ BEGIN PERFORM pg_sleep(0.3); RETURN NULL; END $$;
            CREATE CONSTRAINT TRIGGER slow AFTER UPDATE ON runs DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW EXECUTE FUNCTION slow();
            """
        )
    async with asyncio.TaskGroup() as group:
        committing = group.create_task(lost(world, batch))
        await sleeping_inside(database)
        proxy.go_silent()
    assert committing.result()
    await proxy.cut()
    await proxy.mend()

    run = await world.go_on(await recovered(world, number))

    assert (run.outcome, run.report.created, run.report.seen) == ("succeeded", 20, 20)
    assert world.platform.asked.total() == 0
    assert await world.value(STORED) == 20


async def lost(world: Running, batch: Batch) -> bool:
    with pytest.raises(StoreUnavailable):
        await world.around.stores.sync.commit(batch)
    return True


async def sleeping_inside(database: Database) -> None:
    """Return once somebody waits inside COMMIT."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"

    async def ask() -> bool:
        async with database.connection() as connection:
            return bool(await connection.fetchval(query))

    await until(ask, what="a commit to be under way")


async def recovered(world: Running, number: RunId) -> Run:
    run = await world.runs.read(number)
    assert run is not None
    return run


async def test_a_run_begun_with_a_lost_reply_is_still_run(world: Running, proxy: TcpProxy) -> None:
    await world.link(3)
    number = await world.runs.create(draft(world.clock))
    await world.runs.begin(number, world.clock.now())

    run = await world.go_on(await recovered(world, number))

    assert (run.outcome, run.report.created, run.resumed) == ("succeeded", 3, 0)


async def test_tables_that_are_being_restored_are_an_outage_for_their_reader(
    database: Database,
) -> None:
    elsewhere = Database(replace(database.settings, schema="restored_later"), SystemClock())
    async with elsewhere:
        with pytest.raises(StoreUnavailable, match="tables are not there"):
            async with elsewhere.connection() as connection:
                await connection.fetchval(STORED)
