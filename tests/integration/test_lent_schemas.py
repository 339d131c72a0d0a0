"""The schema a test is lent is as if it had just been migrated, whatever the one before did."""

from __future__ import annotations

from uuid import uuid4

import pytest
from fakes.schemas import SQL, Schemas

from syncd.clock import SystemClock
from syncd.model.address import PostgresAddress
from syncd.store.database import Database
from syncd.store.migrate import load_migrations, migrate

USERS = "INSERT INTO users (key) SELECT 'u' || n FROM generate_series(1, {users}) AS n"
CONTENTS = """
    SELECT (SELECT count(*) FROM users) AS users, (SELECT count(*) FROM migrations) AS migrations,
        (SELECT epoch FROM leases) AS epoch, (SELECT is_called FROM users_id_seq) AS has_counted
"""


async def use(schemas: Schemas, *statements: str) -> tuple[str, list[int]]:
    """Do something in a schema; return its name and relations as they were before."""
    async with (
        Database(await schemas.lend(), SystemClock()) as database,
        database.connection() as connection,
    ):
        name = database.settings.schema
        relations = await connection.fetchval(SQL["relations"], name)
        for statement in statements:
            await connection.execute(statement)
    return name, sorted(relations)


@pytest.mark.parametrize("users", [30, 20_000])
async def test_next_test_finds_nothing_of_what_was_stored_or_made(
    postgres: PostgresAddress, users: int
) -> None:
    schemas = Schemas(postgres, f"lent_{uuid4().hex[:8]}")
    name, relations = await use(
        schemas,
        USERS.format(users=users),
        "UPDATE leases SET epoch = 7",
        "DELETE FROM migrations",
        "CREATE TABLE backup (user_id bigint PRIMARY KEY REFERENCES users)",
        "CREATE VIEW everybody AS SELECT key FROM users",
        "ANALYZE users",
    )

    async with Database(await schemas.lend(), SystemClock()) as database:
        missing = await migrate(database)
        async with database.connection() as connection:
            here = database.settings.schema
            found = tuple(await connection.fetchrow(CONTENTS) or ())
            kept = sorted(await connection.fetchval(SQL["relations"], here))
            measured = await connection.fetchval(
                "SELECT count(*) FROM pg_stats WHERE schemaname = $1", here
            )

    assert (found, measured, missing) == ((0, len(load_migrations()), 0, False), 0, [])
    assert (kept, here == name) == (relations, False)


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE users ADD COLUMN shoe_size int",
        "ALTER TABLE users DROP CONSTRAINT users_pkey CASCADE",
        "ALTER TABLE users DISABLE TRIGGER ALL",
        "ALTER TABLE users DROP CONSTRAINT users_key_key CASCADE",
        "DROP TABLE gates",
        "GRANT SELECT ON users TO public",
        "CREATE FUNCTION slow() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE POLICY nobody ON users USING (false)",
        "ALTER SEQUENCE users_id_seq INCREMENT BY 7",
    ],
)
async def test_schema_that_was_changed_for_good_is_lent_to_nobody_else(
    postgres: PostgresAddress, statement: str
) -> None:
    schemas = Schemas(postgres, f"lent_{uuid4().hex[:8]}")
    _, before = await use(schemas)
    _, same = await use(schemas, statement)

    _, fresh = await use(schemas)

    assert same == before
    assert set(fresh).isdisjoint(before)


async def test_schema_that_somebody_still_uses_is_lent_to_nobody_else(
    postgres: PostgresAddress,
) -> None:
    schemas = Schemas(postgres, f"lent_{uuid4().hex[:8]}")
    _, before = await use(schemas, USERS.format(users=20_000))
    async with (
        Database(await schemas.lend(), SystemClock()) as user,
        user.transaction() as connection,
    ):
        await connection.execute("LOCK TABLE users IN ROW EXCLUSIVE MODE")
        _, fresh = await use(schemas)

    assert set(fresh).isdisjoint(before)
