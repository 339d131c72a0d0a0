"""Who is forgotten stands nowhere any more: every column of every table is looked at."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fakes.controlled import Desk, controlled, text_for
from fakes.everywhere import EVERYWHERE, HANDLE, KEY, NAMES, OTHER
from fakes.waiting import until

from syncd.errors import NotKnown
from syncd.store.blocks import load_blocks
from syncd.store.database import Database
from syncd.store.fence import Fence
from syncd.store.forget import ForgetStore

# What is of us, of the platforms, or a word from a closed set. A column that is new must be put
# here or into `EVERYWHERE`, so that nobody forgets to forget what stands in it.
ABOUT_NOBODY = {
    "accounts": {"platform", "state"},
    "alert_states": {"condition", "job", "topic"},
    "contest_changes": {"after", "before", "what"},
    "cleanup_counts": {"rule"},
    "contest_looks": {"error", "source"},
    "contests": {
        *("external_id", "joint_id", "kind", "name", "occasion", "platform", "rated_range", "raw"),
        *("source", "url"),
    },
    "dead_letters": {"actor", "error_class", "job", "kind", "platform", "state"},
    "gates": {"credential", "failure", "fingerprint", "pause_cause", "platform", "used_up"},
    "item_outcomes": {"outcome", "platform"},
    "job_overrides": {"actor", "job", "schedule", "timezone"},
    "jobs": {"job", "schedule"},
    "leaderboard_backups": {"job", "table_name", "target"},
    "leaderboard_missing": {"job"},
    "leaderboard_sources": {"job", "source"},
    "leaderboard_targets": {"job", "target"},
    "leaderboard_tombstones": {"job", "target"},
    "leases": {"holder", "instance", "listen", "name", "version"},
    "notifications": {
        *("channel", "contest_name", "contest_url", "holder", "occasion", "platform", "state"),
    },
    "notify_addresses": {"channel", "state"},
    "notify_preferences": {"language", "platforms", "timezone"},
    "oauth_tokens": {"health", "key_id", "refresh_holder"},
    "pauses": {"actor", "scope"},
    "plans": {"decided_by", "digest", "job", "state"},
    "reconciliations": {"drift", "job", "mode"},
    "run_platforms": {"failures", "platform"},
    "runs": {"cause", "failures", "holder", "job", "kind", "outcome", "skip_reason"},
    "migrations": {"checksum", "name"},
    "score_formulas": {"formula_version", "parameters"},
    "sync_state": {"credential", "etag_credential", "kind", "outcome", "platform", "succeeded_job"},
    "user_scores": {"formula_version"},
}

COLUMNS = """
    SELECT columns.table_name, columns.column_name, data_type
    FROM information_schema.columns
    JOIN information_schema.tables USING (table_schema, table_name)
    WHERE table_schema = current_schema AND table_type = 'BASE TABLE'
        AND (data_type IN ('text', 'json', 'jsonb', 'bytea', 'character varying', 'xml')
            OR (data_type = 'ARRAY' AND udt_name IN ('_text', '_varchar', '_jsonb', '_bytea')))
    ORDER BY 1, 2
"""
IDS = """
    SELECT columns.table_name, columns.column_name
    FROM information_schema.columns
    JOIN information_schema.tables USING (table_schema, table_name)
    WHERE table_schema = current_schema AND table_type = 'BASE TABLE'
        AND columns.column_name IN ('user_id', 'account_id') AND data_type IN ('bigint', 'integer')
"""

BOARDS = """
[jobs.boards]
kind = "leaderboard"
"""


@pytest.fixture
async def world(database: Database, tmp_path: Path) -> AsyncIterator[Desk]:
    """A syncd in whose every table somebody stands."""
    settings = database.settings
    text = text_for(settings.address, settings.schema, "http://127.0.0.1:9") + BOARDS
    async with controlled(text, tmp_path) as desk:
        await desk.core.health.ready.wait()
        async with desk.core.database.connection() as connection:
            await connection.execute(EVERYWHERE)
        yield desk


async def ask(desk: Desk, sql: str, *values: Any) -> list[Any]:
    async with desk.core.database.connection() as connection:
        return list(await connection.fetch(sql, *values))


async def places(desk: Desk) -> dict[str, set[str]]:
    """Return the columns in which any of the names stands, by table."""
    found: dict[str, set[str]] = {}
    for table, column, kind in await ask(desk, COLUMNS):
        text = f"encode({column}, 'escape')" if kind == "bytea" else f"{column}::text"
        sql = f"SELECT count(*) FROM {table} WHERE {text} ~ $1"  # noqa: S608 - names of our schema
        if (await ask(desk, sql, "|".join(NAMES)))[0][0]:
            found.setdefault(table, set()).add(column)
    return found


async def rows_about(desk: Desk, user: int, accounts: list[int]) -> dict[str, int]:
    """Return how many rows are about a user or accounts, by table."""
    found: dict[str, int] = {}
    for table, column in await ask(desk, IDS):
        numbers = [user] if column == "user_id" else accounts
        sql = f"SELECT count(*) FROM {table} WHERE {column} = ANY($1)"  # noqa: S608
        if count := (await ask(desk, sql, numbers))[0][0]:
            found[table] = count
    return found


async def test_name_of_who_is_forgotten_stands_in_no_column_of_any_table(world: Desk) -> None:
    [(user, account)] = await ask(
        world, "SELECT user_id, id FROM accounts WHERE handle = $1", HANDLE
    )
    before = await places(world)

    answer = await world.control.forget_user(KEY, dry_run=False)

    assert await places(world) == {}
    assert await rows_about(world, user, [account]) == {}
    removed = answer["removed"]
    assert (removed["listening_data"], removed["oauth_tokens"], removed["item_outcomes"]) == (
        25,
        1,
        2,
    )
    assert removed["leaderboard_backup_1"] == removed["pomo_leaderboard"] == 1
    unsaid = {
        f"{table}.{column}"
        for table, column, _ in await ask(world, COLUMNS)
        if column not in before.get(table, set()) | ABOUT_NOBODY.get(table, set())
    }
    assert unsaid == set(), "put a name there in EVERYWHERE, or say in ABOUT_NOBODY that none can"


async def test_others_keep_what_is_theirs_and_runs_their_counts(world: Desk) -> None:
    await world.control.forget_user(KEY, dry_run=False)

    [row] = await ask(world, "SELECT error, hint, options FROM runs")
    [(error,)] = await ask(world, "SELECT error FROM item_outcomes WHERE user_key = $1", OTHER)
    boards = await ask(world, "SELECT user_id, daily_pomo FROM pomo_leaderboard")
    copied = await ask(world, "SELECT user_id FROM leaderboard_backup_1")

    assert row["error"] == "cannot GET /users/(forgotten) on github: HTTP 500"
    assert (row["hint"], row["options"]["only"]) == ("ask (forgotten)", ["(forgotten)", OTHER])
    assert error == "linked already, to user '(forgotten)'"
    assert [tuple(each) for each in boards] == [(OTHER, 6.0)]
    assert [tuple(each) for each in copied] == [(OTHER,)]


async def test_dry_run_counts_what_would_go_and_changes_nothing(world: Desk) -> None:
    before = await places(world)

    told = await world.control.forget_user(KEY, dry_run=True)

    assert await places(world) == before
    done = await world.control.forget_user(KEY, dry_run=False)
    assert (told["deleted"], done["deleted"]) == (False, True)
    assert told["removed"] == done["removed"]


async def test_who_was_deleted_before_is_forgotten_too_and_then_is_nobody(world: Desk) -> None:
    await ask(world, "DELETE FROM users WHERE key = $1", KEY)

    answer = await world.control.forget_user(KEY, dry_run=False)

    assert answer["removed"]["item_outcomes"] == 2
    assert not (await places(world)).keys() & {
        "item_outcomes",
        "leaderboard_tombstones",
        "plan_rows",
    }
    with pytest.raises(NotKnown, match=f"there is no user '{KEY}'"):
        await world.control.forget_user(KEY, dry_run=False)


async def test_forgetting_that_was_cut_off_goes_on_where_it_was(
    world: Desk,
) -> None:
    store = ForgetStore(world.core.database, Fence(), world.core.users)
    await store.stop(KEY)
    await world.core.around.stores.listening.forget_history(KEY)

    [(state, reason)] = await ask(
        world, "SELECT state, state_reason FROM accounts WHERE handle = $1", HANDLE
    )
    answer = await world.control.forget_user(KEY, dry_run=False)

    assert (state, f"`syncd users forget {KEY}` goes on with it" in reason) == ("opted_out", True)
    assert "oauth_tokens" not in answer["removed"]
    assert await places(world) == {}


async def test_batch_that_commits_while_its_user_is_forgotten_names_nobody(world: Desk) -> None:
    [(number,)] = await ask(world, "SELECT id FROM accounts WHERE handle = $1", HANDLE)
    values = ([number], [KEY], [HANDLE], ["failed"], [f"cannot read '{HANDLE}'"])
    record = load_blocks("accounts")["record_outcomes"]
    await ask(world, "DELETE FROM item_outcomes")

    async def is_waiting() -> bool:
        waits = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        return bool((await ask(world, waits))[0][0])

    async with asyncio.TaskGroup() as group, world.core.database.transaction() as connection:
        await connection.execute(record, 1, "github", datetime.now(UTC), *values)
        group.create_task(world.control.forget_user(KEY, dry_run=False))
        await until(is_waiting, what="the forgetting to wait for the batch")

    assert await places(world) == {}


async def test_batch_that_commits_after_its_user_was_forgotten_names_nobody(world: Desk) -> None:
    [(number,)] = await ask(world, "SELECT id FROM accounts WHERE handle = $1", HANDLE)
    values = ([number], [KEY], [HANDLE], ["withdrawn"], [""])
    await world.control.forget_user(KEY, dry_run=False)

    await ask(
        world,
        load_blocks("accounts")["record_outcomes"],
        *(1, "github", datetime.now(UTC)),
        *values,
    )

    assert await places(world) == {}
    assert len(await ask(world, "SELECT FROM item_outcomes WHERE outcome = 'withdrawn'")) == 1


async def test_answer_says_what_syncd_cannot_reach(world: Desk) -> None:
    answer = await world.control.forget_user(KEY, dry_run=True)

    told = " | ".join(answer["not_reached"])
    assert "log lines that named the user: standard output" in told
    assert "Redis: a user who stands on a board is back" in told
    assert "backups of the database" in told
