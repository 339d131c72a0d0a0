"""A run that is cancelled while Redis is asked leaves nothing that the next one could read."""

from __future__ import annotations

from fakes.running import draft, to_job
from fakes.upset import PROMPT, upset
from fakes.valkey import ValkeyServer
from fakes.waiting import until

from syncd.jobs.stop import Stop, StopReason
from syncd.model.run import Outcome
from syncd.runs.runner import Order
from syncd.store.database import Database
from syncd.telemetry.events import RunHeldUp

USERS: dict[str | bytes, float | str] = {f"user{number:04}": number + 1 for number in range(2_000)}
ATTEMPTS = 12


async def test_the_run_after_a_cancelled_one_reads_right(
    database: Database, valkey: ValkeyServer
) -> None:
    async with upset(database, valkey, guard=PROMPT) as world:
        await world.fill(daily=USERS, yearly=USERS)
        await world.sync()
        before = await world.written()
        await world.remove("user0000")
        runs = world.world.runs
        for attempt in range(ATTEMPTS):
            run = await runs.read(await runs.create(draft(world.clock)))
            assert run is not None
            stop = Stop()
            world.clock.pages = 0
            world.after_page[attempt + 1] = lambda stop=stop: stop.request(StopReason.CANCEL, 0.0)

            ended = await world.world.runner.execute(
                Order(run=run, job=to_job(world.job()), stop=stop)
            )

            assert ended is not None
            assert ended.outcome is Outcome.CANCELLED
            assert await world.written() == before
        await until(lambda: _is_alone(valkey), what="every connection to be closed")
        assert world.world.told(RunHeldUp) == []

        assert (await world.sync()).outcome is Outcome.SUCCEEDED
        assert await world.deleted() == {"user0000"}
        assert await world.table() == await world.boards()


async def _is_alone(server: ValkeyServer) -> bool:
    async with server.client() as client:
        return len(await client.client_list()) == 1
