"""How tables follow their boards, read from what runs left in PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from syncd.model.leaderboard import BoardDrift, Drift, Target
from syncd.store.database import Database
from syncd.store.drift import DriftStore
from syncd.store.journal import drift_to_json

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
JOB = "leaderboard"
DRIFT = Drift(
    redis_users=3,
    postgres_users=5,
    rows=1,
    held=2,
    boards={"daily": BoardDrift(redis_users=3, redis_sum=16, postgres_users=3, postgres_sum=15.5)},
)
TARGET = Target(table="pomo_leaderboard", columns={"daily": "daily_pomo"})


@pytest.fixture
def store(database: Database) -> DriftStore:
    return DriftStore(database)


async def add_run(database: Database, minutes: int, outcome: str, **changes: Any) -> int:
    options = {"only": [], "platform": "", "limit": None, "dry_run": False, **changes}
    async with database.connection() as connection:
        number: int = await connection.fetchval(
            """
            INSERT INTO runs (job, kind, cause, outcome, options, claimed_at, finished_at)
            VALUES ($1, 'leaderboard', 'manual', $2, $3, $4, $4) RETURNING id
            """,
            JOB,
            outcome,
            options,
            AT + timedelta(minutes=minutes),
        )
    return number


async def reconcile(
    database: Database,
    run_id: int,
    drift: Drift | None,
    *,
    is_dry: bool = False,
    is_complete: bool = True,
) -> None:
    async with database.connection() as connection:
        await connection.execute(
            """
            INSERT INTO reconciliations (run_id, job, mode, is_complete, is_dry, at, numbers, drift)
            VALUES ($1, $2, 'full', $7, $3, $4, $5, $6)
            """,
            run_id,
            JOB,
            is_dry,
            AT,
            {"seconds": {"apply": 0.2, "compare": 0.1, "read": float(run_id)}},
            None if drift is None else drift_to_json(drift),
            is_complete,
        )


async def test_the_newest_comparison_and_the_newest_times_are_told(
    database: Database, store: DriftStore
) -> None:
    older, compared, cut, later, dry = [
        await add_run(database, minutes, "succeeded") for minutes in range(5)
    ]
    await reconcile(database, older, Drift(redis_users=0, postgres_users=0, rows=9))
    await reconcile(database, compared, DRIFT)
    part = Drift(redis_users=1, postgres_users=1, rows=0)
    await reconcile(database, cut, part, is_complete=False)
    await reconcile(database, later, None)
    await reconcile(database, dry, Drift(redis_users=7, postgres_users=7, rows=7), is_dry=True)

    found = await store.followed([JOB, "another"])

    assert list(found) == [JOB]
    assert (found[JOB].drift, found[JOB].run_id, found[JOB].at) == (DRIFT, compared, AT)
    assert list(found[JOB].seconds.items()) == [("read", later), ("compare", 0.1), ("apply", 0.2)]


async def test_a_job_whose_runs_compared_nothing_has_no_drift(
    database: Database, store: DriftStore
) -> None:
    await reconcile(database, await add_run(database, 0, "failed"), None)

    found = (await store.followed([JOB]))[JOB]

    assert (found.drift, found.at) == (None, None)


@pytest.mark.parametrize("outcome", ["succeeded", "partial", "held"])
async def test_the_last_sync_is_the_newest_run_that_wrote_what_redis_says(
    database: Database, store: DriftStore, outcome: str
) -> None:
    await add_run(database, 1, outcome)
    await add_run(database, 2, "failed")
    await add_run(database, 3, "succeeded", dry_run=True)
    await add_run(database, 4, "succeeded", act="rehydrate")
    await add_run(database, 5, "cancelled")

    assert await store.last_synced(JOB) == AT + timedelta(minutes=1)
    assert await store.last_synced("another") is None


async def test_rows_are_counted_in_any_table_by_its_name(
    database: Database, store: DriftStore
) -> None:
    name, schema = 'Ranks of "all"; --', database.settings.schema
    async with database.connection() as connection:
        await connection.execute(
            """
            INSERT INTO pomo_leaderboard (user_id) SELECT 'u' || n FROM generate_series(1, 3) AS n;
            CREATE TABLE "Ranks of ""all""; --" AS SELECT generate_series(1, 7)
            """
        )

    assert await store.count_users(TARGET) == 3
    assert await store.count_users(Target(table=name, columns={}, schema=schema)) == 7
    assert await store.count_users(Target(table="nowhere", columns={})) is None
    assert await store.count_users(Target(table=name, columns={}, schema="nowhere")) is None
