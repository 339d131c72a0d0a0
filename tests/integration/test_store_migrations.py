"""Migrations: safe to repeat, safe together, and refused where they cannot be right."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from uuid import uuid4

import pytest

from syncd.clock import SystemClock
from syncd.errors import SchemaUnfit
from syncd.model.address import PostgresAddress
from syncd.store.database import Database
from syncd.store.migrate import load_migrations, migrate
from syncd.store.pool import DatabaseSettings

TABLES = "SELECT count(*) FROM information_schema.tables WHERE table_schema = $1"


@pytest.fixture
async def empty(postgres: PostgresAddress) -> AsyncIterator[Database]:
    """A database that holds nothing of ours."""
    settings = DatabaseSettings(address=postgres, schema=f"fresh_{uuid4().hex[:8]}")
    async with Database(settings, SystemClock()) as database:
        yield database


async def do(database: Database, statement: str, *values: object) -> None:
    async with database.connection() as connection:
        await connection.execute(statement, *values)


async def tables(database: Database) -> int:
    async with database.connection() as connection:
        found: int = await connection.fetchval(TABLES, database.settings.schema)
    return found


async def test_the_second_time_nothing_is_left_to_do(empty: Database) -> None:
    first = await migrate(empty)

    assert first == load_migrations()
    assert await migrate(empty) == []


async def test_two_processes_at_once_migrate_once(empty: Database) -> None:
    applied = await asyncio.gather(*(migrate(empty) for _ in range(4)))

    assert sorted(len(each) for each in applied) == [0, 0, 0, len(load_migrations())]


async def test_a_dry_run_names_what_is_missing_and_creates_nothing(empty: Database) -> None:
    missing = await migrate(empty, dry_run=True)

    assert missing == load_migrations()
    assert await tables(empty) == 0


async def test_an_applied_file_that_was_edited_is_refused(database: Database) -> None:
    await do(database, "UPDATE migrations SET checksum = 'edited' WHERE version = 1")

    with pytest.raises(SchemaUnfit, match="migration 0001 was applied with other content"):
        await migrate(database)


async def test_a_schema_of_a_newer_syncd_is_refused(database: Database) -> None:
    await do(database, "INSERT INTO migrations (version, name, checksum) VALUES (99, 'x', 'y')")

    with pytest.raises(SchemaUnfit, match="at version 99"):
        await migrate(database)


async def with_role(database: Database, *grants: str) -> Database:
    """Return the same schema as seen by a role that may log in and what `grants` say."""
    role = f"role_{uuid4().hex[:8]}"
    await do(database, f"CREATE ROLE {role} LOGIN PASSWORD 'pw'")
    for grant in grants:
        await do(database, f"GRANT {grant} TO {role}")
    settings = database.settings
    address = replace(settings.address, user=role, password="pw")
    return Database(replace(settings, address=address), SystemClock())


async def test_a_role_that_may_use_but_not_create_runs_on_a_migrated_schema(
    database: Database,
) -> None:
    schema = database.settings.schema
    usage = f"USAGE ON SCHEMA {schema}"
    async with await with_role(
        database, usage, f"SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema}"
    ) as humble:
        applied = await migrate(humble)

    assert applied == []


async def test_a_role_that_may_not_create_is_told_the_grant_it_lacks(empty: Database) -> None:
    schema = empty.settings.schema
    await do(empty, f"CREATE SCHEMA {schema}")
    async with await with_role(empty, f"USAGE ON SCHEMA {schema}") as humble:
        with pytest.raises(SchemaUnfit) as refusal:
            await migrate(humble)

    role = humble.settings.address.user
    assert str(refusal.value) == f"this role may not create tables in schema {schema}"
    assert refusal.value.hint == (
        f"as its owner run: GRANT USAGE, CREATE ON SCHEMA {schema} TO {role}"
    )


async def test_a_role_that_may_not_use_the_tables_is_told_the_grant_it_lacks(
    database: Database,
) -> None:
    schema = database.settings.schema
    usage, reading = f"USAGE ON SCHEMA {schema}", f"SELECT ON ALL TABLES IN SCHEMA {schema}"
    async with await with_role(database, usage, reading) as humble:
        with pytest.raises(SchemaUnfit, match="may not use the tables") as refusal:
            await migrate(humble)

    role = humble.settings.address.user
    assert refusal.value.hint == (
        "as their owner run: GRANT SELECT, INSERT, UPDATE, DELETE"
        f" ON ALL TABLES IN SCHEMA {schema} TO {role}"
    )


async def test_a_role_that_may_create_in_the_schema_needs_no_right_on_the_database(
    empty: Database,
) -> None:
    schema = empty.settings.schema
    await do(empty, f"CREATE SCHEMA {schema}")
    async with await with_role(empty, f"USAGE, CREATE ON SCHEMA {schema}") as humble:
        applied = await migrate(humble)

    assert applied == load_migrations()


async def test_without_a_schema_the_right_to_create_one_is_named(empty: Database) -> None:
    async with await with_role(empty) as humble:
        with pytest.raises(SchemaUnfit) as refusal:
            await migrate(humble)

    assert "GRANT CREATE ON DATABASE" in (refusal.value.hint or "")


async def test_accounts_that_were_set_aside_before_there_were_letters_have_one(
    database: Database,
) -> None:
    await do(
        database,
        """
        DROP TABLE dead_letters;
        ALTER TABLE sync_state DROP COLUMN failing_since;
        DELETE FROM migrations WHERE version = 7;
        INSERT INTO users (key) VALUES ('ada'), ('bo');
        INSERT INTO accounts (user_id, platform, handle, linked_as, state, state_reason)
        SELECT id, 'github', key, key, CASE key WHEN 'bo' THEN 'quarantined' ELSE 'active' END,
            'odd'
        FROM users;
        INSERT INTO sync_state (account_id, kind, platform, attempted_at, fail_streak, outcome)
        SELECT id, 'profiles', 'github', now(), 3, 'unsuitable' FROM accounts;
        """,
    )

    await migrate(database)

    async with database.connection() as connection:
        rows = await connection.fetch(
            "SELECT handle, dead_letters.state, error_class, error, attempts FROM dead_letters "
            "JOIN accounts ON accounts.id = account_id"
        )
    assert [tuple(row) for row in rows] == [("bo", "open", "unsuitable", "odd", 3)]


async def test_profiles_of_before_sweeps_can_be_swept_after_the_upgrade(
    database: Database,
) -> None:
    await do(
        database,
        """
        ALTER TABLE sync_state DROP COLUMN sweep_key, DROP COLUMN sweep_digest,
            DROP COLUMN detailed_at;
        DELETE FROM migrations WHERE version = 4;
        INSERT INTO users (key) VALUES ('read'), ('never');
        INSERT INTO accounts (user_id, platform, handle, linked_as)
        SELECT id, 'github', key, key FROM users;
        INSERT INTO sync_state (account_id, kind, platform, succeeded_at)
        SELECT id, 'profiles', 'github', CASE WHEN handle = 'read' THEN timestamptz '2026-01-01' END
        FROM accounts;
        INSERT INTO profiles (account_id, raw, raw_hash, mapper_version, fetched_at, changed_at)
        SELECT id, '{"node_id": "U_1"}', '', 1, now(), now() FROM accounts WHERE handle = 'read';
        """,
    )

    applied = await migrate(database)

    async with database.connection() as connection:
        rows = await connection.fetch(
            "SELECT sweep_key, sweep_digest, detailed_at = succeeded_at AS is_detailed "
            "FROM sync_state ORDER BY succeeded_at NULLS LAST"
        )
    assert [migration.version for migration in applied] == [4]
    assert [tuple(row) for row in rows] == [("U_1", b"", True), ("", b"", None)]
