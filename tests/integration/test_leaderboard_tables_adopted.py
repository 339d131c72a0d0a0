"""Tables that the platform made: what is adopted as it is, and what is refused in one sentence."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from fakes.boarded import PROMPT, boarded
from fakes.valkey import ValkeyServer

from syncd.clock import SystemClock
from syncd.model.run import Outcome
from syncd.store.database import Database

GOOD = "user_id text PRIMARY KEY, daily_pomo float8 NOT NULL DEFAULT 0, updated_at timestamptz"
_numbers = itertools.count(1)


@pytest.fixture
async def schema(database: Database) -> AsyncIterator[str]:
    """A schema of the platform's own."""
    name = f"{database.settings.schema}_platform"
    async with database.connection() as connection:
        await connection.execute(f"CREATE SCHEMA {name}")
        yield name
        await connection.execute(f"DROP SCHEMA {name} CASCADE")


Options = dict[str, Any]


def options(schema: str, **more: Any) -> Options:
    return {"schema": schema, "table": "scores", "boards": ["daily"], "guard": PROMPT, **more}


async def make(database: Database, schema: str, *statements: str) -> None:
    async with database.connection() as connection:
        for statement in statements:
            await connection.execute(statement.replace("scores", f"{schema}.scores", 1))


REFUSED = {
    "no table": ("SELECT 'scores'", "there is no table {schema}.scores", "CREATE TABLE"),
    "a missing column": (
        "CREATE TABLE scores (user_id text PRIMARY KEY, updated_at timestamptz)",
        "column daily_pomo is missing",
        "ADD COLUMN daily_pomo double precision NOT NULL DEFAULT 0",
    ),
    "a score of text": (
        f"CREATE TABLE scores ({GOOD.replace('float8 NOT NULL DEFAULT 0', 'text')})",
        "column daily_pomo is text, not double precision, numeric, bigint, integer or smallint",
        "TYPE double precision",
    ),
    "a score of real": (
        f"CREATE TABLE scores ({GOOD.replace('float8', 'real')})",
        "column daily_pomo is real",
        "TYPE double precision",
    ),
    "an id of bigint": (
        f"CREATE TABLE scores ({GOOD.replace('text', 'bigint')})",
        "column user_id is bigint, not text or varchar",
        "TYPE text",
    ),
    "a time without zone": (
        f"CREATE TABLE scores ({GOOD.replace('timestamptz', 'timestamp')})",
        "column updated_at is timestamp without time zone, not timestamptz",
        "TYPE timestamptz",
    ),
    "no unique index": (
        f"CREATE TABLE scores ({GOOD.replace('PRIMARY KEY', 'NOT NULL')})",
        "column user_id has no unique index of its own",
        "ADD UNIQUE (user_id)",
    ),
    "an index on two columns": (
        (
            f"CREATE TABLE scores ({GOOD.replace('PRIMARY KEY', 'NOT NULL')}, "
            "UNIQUE (user_id, updated_at))"
        ),
        "column user_id has no unique index of its own",
        "ADD UNIQUE (user_id)",
    ),
    "a column that must be given": (
        f"CREATE TABLE scores ({GOOD}, team text NOT NULL)",
        "column team must be given a value, and syncd knows none",
        "ALTER COLUMN team DROP NOT NULL",
    ),
    "a view": (
        "CREATE VIEW scores AS SELECT 'x'::text AS user_id",
        "{schema}.scores is a view, not an ordinary table",
        "name another table",
    ),
    "a partitioned table": (
        f"CREATE TABLE scores ({GOOD}) PARTITION BY HASH (user_id)",
        "{schema}.scores is a partitioned table, not an ordinary table",
        "name another table",
    ),
    "a generated score": (
        (
            "CREATE TABLE scores (user_id text PRIMARY KEY, updated_at timestamptz, "
            "daily_pomo float8 GENERATED ALWAYS AS (1) STORED)"
        ),
        "column daily_pomo is generated: nothing can be written to it",
        "DROP EXPRESSION",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_a_table_that_cannot_follow_is_refused_in_a_sentence_with_its_mend(
    database: Database, valkey: ValkeyServer, schema: str, case: str
) -> None:
    statement, sentence, mend = REFUSED[case]
    await make(database, schema, statement)
    async with boarded(database, valkey, **options(schema)) as boards:
        await boards.put({"daily": {"ada": 1}})
        await boards.tell("SADD", "lb:dirty", "ada")
        run = await boards.run()

        assert run.outcome is Outcome.FAILED
        assert sentence.format(schema=schema) in run.error
        assert run.error.startswith(f"table {schema}.scores cannot follow the boards: ")
        assert "\n" not in run.error
        assert mend in run.hint
        assert run.report.seen == 0
        assert await boards.tell("SMEMBERS", "lb:dirty") == {b"ada"}
        assert await boards.sql("SELECT * FROM reconciliations") == []


async def test_every_problem_is_told_at_once(
    database: Database, valkey: ValkeyServer, schema: str
) -> None:
    await make(database, schema, "CREATE TABLE scores (user_id bigint, team text NOT NULL)")
    async with boarded(database, valkey, **options(schema)) as boards:
        run = await boards.run()

    for words in ("user_id is bigint", "daily_pomo is missing", "updated_at is missing", "team"):
        assert words in run.error


@pytest.mark.parametrize("case", [name for name in REFUSED if "another" not in REFUSED[name][2]])
async def test_what_the_hint_says_mends_it(
    database: Database, valkey: ValkeyServer, schema: str, case: str
) -> None:
    statement, _, _ = REFUSED[case]
    await make(database, schema, statement)
    async with boarded(database, valkey, **options(schema)) as boards:
        await boards.put({"daily": {"ada": 1}})
        refused = await boards.run()
        _, _, mends = refused.hint.partition("as its owner run: ")
        async with database.connection() as connection:
            await connection.execute(mends)
        run = await boards.run()

    assert (run.outcome, run.report.created) == (Outcome.SUCCEEDED, 1)


@pytest.mark.parametrize("lacks", ["SELECT", "INSERT", "UPDATE", "DELETE"])
async def test_a_right_that_is_missing_is_named(
    database: Database, valkey: ValkeyServer, schema: str, lacks: str
) -> None:
    role = f"{schema}_{next(_numbers)}"
    own = database.settings.schema
    others = ", ".join({"SELECT", "INSERT", "UPDATE", "DELETE"} - {lacks})
    await make(database, schema, f"CREATE TABLE scores ({GOOD})")
    async with database.connection() as connection:
        await connection.execute(f"CREATE ROLE {role} LOGIN")
        for place in (own, schema):
            await connection.execute(f"GRANT USAGE ON SCHEMA {place} TO {role}")
        await connection.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA {own} TO {role}")
        await connection.execute(f"GRANT ALL ON ALL SEQUENCES IN SCHEMA {own} TO {role}")
        await connection.execute(f"GRANT {others} ON {schema}.scores TO {role}")
    address = replace(database.settings.address, user=role)
    settings = replace(database.settings, address=address)
    async with (
        Database(settings, SystemClock()) as restricted,
        boarded(restricted, valkey, **options(schema)) as boards,
    ):
        await boards.put({"daily": {"ada": 1}})
        run = await boards.run()
    async with database.connection() as connection:
        await connection.execute(run.hint.partition("as its owner run: ")[2])
    async with (
        Database(settings, SystemClock()) as allowed,
        boarded(allowed, valkey, **options(schema)) as boards,
    ):
        mended = await boards.run()
    async with database.connection() as connection:
        await connection.execute(f"DROP OWNED BY {role}")
        await connection.execute(f"DROP ROLE {role}")

    assert run.outcome is Outcome.FAILED
    assert f"role {role} may not {lacks}" in run.error
    assert (mended.outcome, mended.report.created) == (Outcome.SUCCEEDED, 1)


async def test_one_row_that_the_table_refuses_among_a_hundred_is_set_aside_alone(
    database: Database, valkey: ValkeyServer, schema: str
) -> None:
    await make(
        database,
        schema,
        f"CREATE TABLE scores ({GOOD})",
    )
    async with database.connection() as connection:
        await connection.execute(
            f"CREATE FUNCTION {schema}.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            "IF NEW.user_id = 'u050' THEN RAISE EXCEPTION 'not this one'; END IF; RETURN NEW; "
            f"END $$; CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON {schema}.scores "
            f"FOR EACH ROW EXECUTE FUNCTION {schema}.refuse()"
        )
    async with boarded(database, valkey, **options(schema)) as boards:
        await boards.put({"daily": {f"u{number:03}": number for number in range(100)}})
        run = await boards.run()
        letters = await boards.sql("SELECT item_key, error, state FROM dead_letters")
        await boards.sql(f"DROP TRIGGER refuse ON {schema}.scores")
        mended = await boards.run()
        after = await boards.sql("SELECT state FROM dead_letters")

    assert (run.outcome, run.report.created, run.report.failed) == (Outcome.PARTIAL, 99, 1)
    assert run.report.seen == 100
    assert [(row["item_key"], row["state"]) for row in letters] == [("sync/u050", "open")]
    assert "PostgreSQL refuses it: not this one" in letters[0]["error"]
    assert (mended.outcome, mended.report.created) == (Outcome.SUCCEEDED, 1)
    assert [row["state"] for row in after] == ["resolved"]
