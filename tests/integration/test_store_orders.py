"""An order whose reply is lost: one row and its number, or no row at all."""

from __future__ import annotations

import asyncio

from fakes.clock import FakeClock
from fakes.running import draft
from fakes.tcp_proxy import TcpProxy
from fakes.waiting import until

from syncd.errors import StoreUnavailable
from syncd.model.run import RunId
from syncd.store.database import Database
from syncd.store.runs import RunStore

SLOW_COMMIT = """
    CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql
    AS $$ BEGIN PERFORM pg_sleep(0.3); RETURN NULL; END $$;
    CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON runs DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION slow();
"""


async def numbers(database: Database) -> list[int]:
    async with database.connection() as connection:
        return [row["id"] for row in await connection.fetch("SELECT id FROM runs")]


async def ordered_with_a_lost_reply(
    far: Database, database: Database, proxy: TcpProxy, *, is_back: bool
) -> tuple[RunStore, RunId | None]:
    """Let a run be created whose reply never comes; return its number as far as it is told."""
    runs = RunStore(far, "one")
    async with database.connection() as connection:
        await connection.execute(SLOW_COMMIT)

    async def create() -> RunId | None:
        try:
            return await runs.create(draft(FakeClock()))
        except StoreUnavailable:
            return None

    async def is_stored() -> bool:
        return bool(await numbers(database))

    async def is_committing() -> bool:
        async with database.connection() as connection:
            return bool(
                await connection.fetchval(
                    "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
                )
            )

    async with asyncio.TaskGroup() as group:
        creating = group.create_task(create())
        await until(is_committing, what="the commit")
        proxy.go_silent()
        await until(is_stored, what="the row")
        if is_back:
            # Callers give up after two seconds; the second attempt finds the line mended.
            await asyncio.sleep(0.5)
            await asyncio.gather(proxy.cut(), proxy.mend())
        else:
            await proxy.cut()
    return runs, creating.result()


async def test_a_second_attempt_finds_the_row_of_the_first(
    far: Database, database: Database, proxy: TcpProxy
) -> None:
    runs, told = await ordered_with_a_lost_reply(far, database, proxy, is_back=True)
    if told is None:  # it was asked for once more between the cut and the mend
        await proxy.mend()
        await runs.drop_unsure()

    assert await numbers(database) == ([] if told is None else [told])


async def test_while_postgresql_stays_away_the_order_fails_and_its_row_goes_afterwards(
    far: Database, database: Database, proxy: TcpProxy
) -> None:
    runs, told = await ordered_with_a_lost_reply(far, database, proxy, is_back=False)
    assert told is None
    assert len(await numbers(database)) == 1, "the row that nobody knows of"

    await proxy.mend()
    await runs.drop_unsure()

    assert await numbers(database) == []


async def test_an_order_under_way_is_not_removed_by_who_removes_what_lost_its_reply(
    database: Database,
) -> None:
    runs = RunStore(database, "one")

    async def renewed() -> None:
        for _ in range(4):
            await runs.drop_unsure()

    gone = []
    for _ in range(100):
        number, _ = await asyncio.gather(runs.create(draft(FakeClock())), renewed())
        if await runs.read(number) is None:
            gone.append(number)

    assert gone == []
