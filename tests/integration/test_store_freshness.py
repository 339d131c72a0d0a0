"""What has not been fresh for longest, and what is on record about one user, over a real store."""

from __future__ import annotations

import sys
from datetime import timedelta
from time import perf_counter
from typing import Any

import pytest
from fakes.clock import START

from syncd.model.account import UserEntry
from syncd.store.blocks import load_blocks
from syncd.store.database import Database
from syncd.store.freshness import FreshnessStore
from syncd.store.users import UserStore

GITHUB = ("profiles", "github")
PLAY = ("profiles", "play")
HOUR = timedelta(hours=1)
MANY = 20_000


@pytest.fixture
def store(database: Database) -> FreshnessStore:
    return FreshnessStore(database)


async def do(database: Database, statement: str, *values: Any) -> None:
    async with database.connection() as connection:
        await connection.execute(statement, *values)


async def link(database: Database, *keys: str, platform: str = "github") -> None:
    await UserStore(database).put(
        [UserEntry(key=key, accounts={platform: f"h-{key}"}) for key in keys]
    )
    await do(database, "UPDATE accounts SET linked_at = $1", START)


async def succeed(database: Database, key: str, hours: float | None) -> None:
    """Give a user's account its state row, with its last success so many hours after START."""
    at = None if hours is None else START + hours * HOUR
    await do(
        database,
        """
        INSERT INTO sync_state (account_id, kind, platform, succeeded_at, attempted_at)
        SELECT accounts.id, 'profiles', platform, $2::timestamptz, COALESCE($2, '-infinity')
        FROM accounts JOIN users ON users.id = user_id WHERE key = $1
        """,
        key,
        at,
    )


async def test_who_never_had_an_answer_comes_first_then_the_oldest(
    database: Database, store: FreshnessStore
) -> None:
    await link(database, "old", "new", "never", "linked-just-now")
    await succeed(database, "new", 2)
    await succeed(database, "old", 1)
    await succeed(database, "never", None)

    rows = await store.stalest([GITHUB], 10)

    assert [row["user_key"] for row in rows] == ["linked-just-now", "never", "old", "new"]
    assert [row["succeeded_at"] for row in rows[1:3]] == [None, START + HOUR]
    assert [row["user_key"] for row in await store.stalest([GITHUB], 1)] == ["linked-just-now"]


async def test_only_followed_accounts_of_the_platforms_asked_for_are_listed(
    database: Database, store: FreshnessStore
) -> None:
    await link(database, "ada", "gone", "out")
    await link(database, "bo", platform="play")
    await do(database, "UPDATE accounts SET state = 'gone' WHERE handle = 'h-gone'")
    await UserStore(database).set_opted_out("out", opted_out=True)

    both = await store.stalest([GITHUB, PLAY], 10)
    one = await store.stalest([PLAY], 10)

    assert sorted(row["user_key"] for row in both) == ["ada", "bo"]
    assert [(row["user_key"], row["kind"]) for row in one] == [("bo", "profiles")]


async def test_overdue_accounts_are_counted_from_the_link_where_there_was_no_answer(
    database: Database, store: FreshnessStore
) -> None:
    await link(database, "old", "new", "never")
    await succeed(database, "old", 1)
    await succeed(database, "new", 3)

    assert await store.count_stale({GITHUB: START + 2 * HOUR}) == 2
    assert await store.count_stale({GITHUB: START + HOUR}) == 1
    assert await store.count_stale({GITHUB: None, PLAY: START + 9 * HOUR}) == 0


async def test_an_unchanged_answer_is_traced_to_the_run_that_was_under_way(
    database: Database, store: FreshnessStore
) -> None:
    await link(database, "ada")
    await succeed(database, "ada", 2)
    for begun, ended, options in (
        (0, 1, '{"only": [], "platform": "", "dry_run": false}'),
        (1.5, 3, '{"only": [], "platform": "", "dry_run": false}'),
        (1.5, 3, '{"only": ["bo"], "platform": "", "dry_run": false}'),
        (1.5, 3, '{"only": [], "platform": "play", "dry_run": false}'),
        (1.5, 3, '{"only": [], "platform": "", "dry_run": true}'),
    ):
        await do(
            database,
            """
            INSERT INTO runs
                (job, kind, cause, outcome, options, claimed_at, started_at, finished_at)
            VALUES ('sync', 'profiles', 'manual', 'succeeded', $3::text::jsonb, $1, $1, $2)
            """,
            START + begun * HOUR,
            START + ended * HOUR,
            options,
        )

    [account] = await store.accounts_of("ada", [GITHUB])

    assert account["fresh_run"] == 2


async def test_an_account_that_no_job_reads_is_told_all_the_same(
    database: Database, store: FreshnessStore
) -> None:
    await link(database, "ada")

    [account] = await store.accounts_of("ada", [PLAY])

    assert (account["platform"], account["kind"], account["fresh_run"]) == ("github", "", None)


async def test_the_oldest_of_20_000_are_found_through_an_index(
    database: Database, store: FreshnessStore
) -> None:
    await fill(database)
    arguments = (["profiles"], ["github"], 20)

    took = []
    for _ in range(10):
        begun = perf_counter()
        rows = await store.stalest([GITHUB], 20)
        took.append(perf_counter() - begun)

    async with database.connection() as connection:
        query = f"EXPLAIN {load_blocks('freshness')['stale_accounts']}"
        plan = "\n".join(row[0] for row in await connection.fetch(query, *arguments))
    sys.stdout.write(f"stale, {MANY:,} accounts: {min(took) * 1000:.1f} ms\n")
    assert len(rows) == 20
    assert "Index Scan using sync_state_stale" in plan
    assert min(took) < 0.020


async def fill(database: Database) -> None:
    await do(
        database, "INSERT INTO users (key) SELECT 'u' || n FROM generate_series(1, $1) AS n", MANY
    )
    for statement in (
        """
        INSERT INTO accounts (user_id, platform, handle, linked_as)
        SELECT id, 'github', key, key FROM users
        """,
        """
        INSERT INTO sync_state (account_id, kind, platform, attempted_at, succeeded_at)
        SELECT id, 'profiles', platform, now(), now() - random() * interval '12 hours' FROM accounts
        """,
        "ANALYZE users, accounts, sync_state",
    ):
        await do(database, statement)
