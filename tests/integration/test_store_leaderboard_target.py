"""A table that cannot follow the boards is refused with every reason, and what mends each."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fakes.benches import JOB, World

from syncd.clock import SystemClock
from syncd.errors import TargetBusy, TargetUnfit
from syncd.model.leaderboard import Target
from syncd.store.database import Database

GOOD = "id text PRIMARY KEY, daily double precision NOT NULL, at timestamptz NOT NULL"


@pytest.fixture
def world(database: Database) -> World:
    target = Target(
        table="scores", columns={"daily": "daily"}, user_column="id", updated_column="at"
    )
    return World.over(database, target=target)


async def refusal(world: World) -> tuple[str, str]:
    async with world.store.bench(JOB, world.target) as bench:
        try:
            await bench.check()
        except TargetUnfit as refused:
            # The connection is fit for the next one.
            return str(refused).partition(" boards: ")[2], refused.hint or ""
    return "", ""


async def test_a_table_that_is_not_there_is_refused_with_what_makes_it(world: World) -> None:
    text, hint = await refusal(world)

    schema = world.database.settings.schema
    assert text == f"there is no table {schema}.scores"
    await world.rows(hint.removeprefix("as its owner run: "))
    assert await refusal(world) == ("", "")


@pytest.mark.parametrize(
    ("columns", "reasons"),
    [
        (GOOD, []),
        ("id varchar(64) NOT NULL UNIQUE, daily bigint, at timestamptz", []),
        ("id text PRIMARY KEY, daily smallint, at timestamptz(3)", []),
        ("id text PRIMARY KEY, daily numeric, at timestamptz", []),
        (
            "id integer PRIMARY KEY, daily real, at timestamp",
            [
                "column id is integer, not text or varchar",
                "column at is timestamp without time zone, not timestamptz",
                "column daily is real, not double precision, numeric, bigint, integer or smallint",
            ],
        ),
        (
            "id text, score integer",
            [
                "column at is missing",
                "column daily is missing",
                "column id may be empty",
                "column id has no unique index of its own",
            ],
        ),
        (
            "id text NOT NULL, daily double precision, at timestamptz, UNIQUE (id, daily)",
            ["column id has no unique index of its own"],
        ),
        (
            "id text NOT NULL UNIQUE DEFERRABLE, daily double precision, at timestamptz",
            ["column id has no unique index of its own"],
        ),
        (
            f"{GOOD}, nick text NOT NULL, born date NOT NULL DEFAULT now()",
            ["column nick must be given a value, and syncd knows none"],
        ),
        (
            "id text PRIMARY KEY, at timestamptz, daily integer GENERATED ALWAYS AS (7) STORED",
            ["column daily is generated: nothing can be written to it"],
        ),
    ],
)
async def test_every_reason_is_told_at_once_and_mended_by_its_statement(
    world: World, columns: str, reasons: list[str]
) -> None:
    await world.rows(f"CREATE TABLE scores ({columns})")

    text, hint = await refusal(world)

    assert text == "; ".join(reasons)
    assert hint.count("ALTER TABLE") == len(reasons)


async def test_the_statements_mend_a_table(world: World) -> None:
    await world.rows("CREATE TABLE scores (id text, score integer, nick text NOT NULL)")
    _, hint = await refusal(world)

    for statement in hint.removeprefix("as its owner run: ").split("; "):
        await world.rows(statement)

    await world.sync({"ada": (1,)})
    assert await world.value("SELECT daily FROM scores") == 1


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        ("CREATE VIEW scores AS SELECT 1 AS id", "is a view, not an ordinary table"),
        (
            f"CREATE TABLE scores ({GOOD}) PARTITION BY HASH (id)",
            "is a partitioned table, not an ordinary table",
        ),
    ],
)
async def test_what_is_no_ordinary_table_is_refused(world: World, made: str, reason: str) -> None:
    await world.rows(made)

    text, hint = await refusal(world)

    assert text == f"{world.database.settings.schema}.scores {reason}"
    assert hint == "name another table"


async def test_a_table_whose_deletions_would_spread_is_refused(world: World) -> None:
    await world.rows(f"CREATE TABLE scores ({GOOD})")
    await world.rows("CREATE TABLE medals (id text REFERENCES scores (id) ON DELETE CASCADE)")

    text, hint = await refusal(world)

    assert text.startswith("rows of medals would change with the rows that are deleted here")
    assert "DROP CONSTRAINT" in hint


async def test_missing_rights_are_named_with_their_grant(world: World) -> None:
    role = f"reader_{world.database.settings.schema}"
    schema = world.database.settings.schema
    await world.rows(f"CREATE TABLE scores ({GOOD})")
    await world.rows(f"CREATE ROLE {role} LOGIN")
    await world.rows(f"GRANT USAGE ON SCHEMA {schema} TO {role}")
    await world.rows(f"GRANT SELECT ON scores TO {role}")
    address = replace(world.database.settings.address, user=role)
    async with Database(replace(world.database.settings, address=address), SystemClock()) as poor:
        text, hint = await refusal(World.over(poor, target=world.target))

    assert text == f"role {role} may not INSERT, UPDATE, DELETE"
    assert hint.endswith(f"GRANT INSERT, UPDATE, DELETE ON {schema}.scores TO {role}")


async def test_two_runs_about_one_table_do_not_go_on_at_once(world: World) -> None:
    await world.rows(f"CREATE TABLE scores ({GOOD})")

    async def second(job: str) -> None:
        async with world.store.bench(job, world.target):
            pass

    async with world.store.bench(JOB, world.target):
        with pytest.raises(TargetBusy, match="another run is about table"):
            await second("another")

    await second("another")
