"""What the ledger does with odd ends of runs, and with very many of them."""

from __future__ import annotations

import json

import pytest
from fakes.clock import FakeClock
from fakes.running import running
from fakes.scripted_job import execute

from syncd.errors import RunError
from syncd.jobs.base import RunContext
from syncd.model.run import Ending, Outcome
from syncd.store.database import Database
from syncd.store.runs import RunStore


@pytest.mark.parametrize("text", ["no\0pe", "lone \ud800 surrogate"])
async def test_a_run_that_failed_with_any_text_has_ended(database: Database, text: str) -> None:
    clock = FakeClock()

    async def work(context: RunContext) -> Ending:
        raise RunError(text)

    async with running(database, clock) as world:
        await execute(world, work)
        (run,) = await world.runs.list_newest(None, None, 10)

    assert run.outcome is Outcome.FAILED


async def test_last_runs_and_cycles_do_not_read_all_rows(database: Database) -> None:
    async with database.connection() as connection:
        await connection.execute("""
            INSERT INTO runs (job, kind, cause, outcome, options, claimed_at, started_at,
                finished_at, fire_time)
            SELECT 'j' || n % 5, 'profiles', 'schedule', 'succeeded',
              '{"only": [], "platform": "", "limit": null, "full": false, "dry_run": false}',
              t, t, t, t
            FROM generate_series(1, 200000) n,
                LATERAL (SELECT timestamptz '2020-01-01' + n * interval '1 second') x (t)
        """)
        await connection.execute("ANALYZE runs")
        runs = RunStore(database, "one")
        read: dict[str, int] = {}
        for block, values in (
            ("cycle_starts", (["j1"],)),
            ("last_runs", (["never ran"], False, [None])),
        ):
            sql = {**runs._sql, **runs._steps}[block]
            explain = "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + sql
            top = json.loads(await connection.fetchval(explain, *values))[0]["Plan"]
            read[block] = top["Shared Hit Blocks"] + top["Shared Read Blocks"]
    assert all(blocks < 100 for blocks in read.values()), read
