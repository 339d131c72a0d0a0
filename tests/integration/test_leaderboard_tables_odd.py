"""A table of odd names and types, with columns that are not ours, follows the boards too."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from fakes.boarded import PROMPT, Boarded, boarded
from fakes.valkey import ValkeyServer

from syncd.model.run import Outcome
from syncd.store.database import Database


@pytest.fixture
async def schema(database: Database) -> AsyncIterator[str]:
    """A schema of the platform's own."""
    name = f"{database.settings.schema}_platform"
    async with database.connection() as connection:
        await connection.execute(f"CREATE SCHEMA {name}")
        yield name
        await connection.execute(f"DROP SCHEMA {name} CASCADE")


Options = dict[str, Any]


DDL = """
    CREATE TABLE "{schema}"."Leader Board" (
        "seq" bigint GENERATED ALWAYS AS IDENTITY,
        "userId" varchar(10) PRIMARY KEY,
        "dailyPomo" integer NOT NULL DEFAULT 0 CHECK ("dailyPomo" <> 13),
        "weekly ""Po""mo" numeric(8, 2),
        "updatedAt" timestamptz(0) NOT NULL DEFAULT now(),
        team text DEFAULT 'none',
        tags jsonb,
        "lower" text GENERATED ALWAYS AS (lower("userId")) STORED
    )
"""
ODD: Options = {
    "table": "Leader Board",
    "boards": ["daily", "weekly"],
    "columns": {"daily": "dailyPomo", "weekly": 'weekly "Po"mo'},
    "user_column": "userId",
    "updated_column": "updatedAt",
    "guard": PROMPT,
}


class Adopted:
    """A table of odd names and types, with columns that are not ours."""

    def __init__(self, boards: Boarded, schema: str) -> None:
        self.boards = boards
        self.place = f'"{schema}"."Leader Board"'

    async def rows(self) -> dict[str, dict[str, Any]]:
        rows = await self.boards.sql(f"SELECT * FROM {self.place}")  # noqa: S608 - a test's own
        return {row["userId"]: row for row in rows}

    async def scores(self) -> dict[str, tuple[float, float]]:
        return {
            user: (float(row["dailyPomo"]), float(row['weekly "Po"mo']))
            for user, row in (await self.rows()).items()
        }


@pytest.fixture
async def adopted(database: Database, valkey: ValkeyServer, schema: str) -> AsyncIterator[Adopted]:
    async with database.connection() as connection:
        await connection.execute(DDL.format(schema=schema))
    async with boarded(database, valkey, schema=schema, **ODD) as boards:
        yield Adopted(boards, schema)


async def test_a_table_of_odd_names_and_types_follows_the_boards(adopted: Adopted) -> None:
    boards = adopted.boards
    await boards.put({"daily": {"Ada": 5, "bob": 2}, "weekly": {"Ada": 1.25, "cyd": 999_999.99}})
    first = await boards.run()
    before = await adopted.scores()
    await boards.tell("ZADD", "leaderboard:weekly", 1.5, "Ada")
    await boards.tell("ZREM", "leaderboard:weekly", "cyd")
    second = await boards.run()
    again = await boards.run()

    assert (first.outcome, first.report.created) == (Outcome.SUCCEEDED, 3)
    assert before == {"Ada": (5, 1.25), "bob": (2, 0), "cyd": (0, 999_999.99)}
    assert (second.report.updated, second.report.deleted) == (1, 1)
    assert await adopted.scores() == {"Ada": (5, 1.5), "bob": (2, 0)}
    assert (again.report.unchanged, again.report.seen) == (2, 2)


async def test_users_whom_the_table_cannot_hold_are_set_aside_and_the_others_stored(
    adopted: Adopted,
) -> None:
    boards = adopted.boards
    await boards.put({"daily": {"kept": 1, "ada": 1}})
    await boards.run()
    await boards.put(
        {
            "daily": {"half": 1.5, "large": 2.0**31, "kept": 0.5, "ada": 2, "bad": 13, "new": 12},
            "weekly": {"fine": 0.25, "finer": 0.125, "wide": 1_000_000, "longer than 10": 1},
        }
    )

    run = await boards.run()
    again = await boards.run()
    letters = await boards.sql("SELECT item_key, error FROM dead_letters WHERE state = 'open'")

    found = await adopted.scores()
    assert found == {"kept": (1, 0), "ada": (2, 0), "new": (12, 0), "fine": (0, 0.25)}
    assert (run.outcome, run.report.failures) == (Outcome.PARTIAL, {"poisoned": 7})
    assert (run.report.created, run.report.updated, run.report.failed) == (2, 1, 7)
    assert (again.report.unchanged, again.report.failed) == (3, 7)
    why = {row["item_key"].partition("/")[2]: row["error"] for row in letters}
    assert set(why) == {"half", "large", "kept", "bad", "finer", "wide", "longer than 10"}
    assert "cannot hold the score 1.5" in why["half"]
    assert "longer than the 10 characters" in why["longer than 10"]
    assert "PostgreSQL refuses it" in why["bad"]


async def test_an_undo_brings_rows_back_with_all_their_columns(adopted: Adopted) -> None:
    boards = adopted.boards
    await boards.put({"daily": {"Ada": 5, "bob": 2, "cyd": 3}})
    await boards.run()
    await boards.sql(
        f"UPDATE {adopted.place} SET team = 'red', tags = $1",  # noqa: S608
        ["a", {"b": None}],
    )
    before = await adopted.rows()
    await boards.tell("ZREM", "leaderboard:daily", "Ada", "bob")
    deleting = await boards.run()
    assert set(await adopted.rows()) == {"cyd"}
    await boards.sql(f'INSERT INTO {adopted.place} ("userId") VALUES ($1)', "bob")  # noqa: S608

    run = await boards.run(act="undo", of=deleting.id)

    after = await adopted.rows()
    assert deleting.report.deleted == 2
    assert (run.outcome, run.report.created, run.report.unchanged) == (Outcome.SUCCEEDED, 1, 1)
    assert after["Ada"] == before["Ada"]
    assert (after["bob"]["team"], after["bob"]["dailyPomo"]) == ("none", 0)


async def test_a_restored_copy_of_an_adopted_table_has_all_columns(adopted: Adopted) -> None:
    boards = adopted.boards
    await boards.put({"daily": {f"u{number}": 5 for number in range(30)}})
    await boards.run()
    await boards.sql(f"UPDATE {adopted.place} SET team = 'red'")  # noqa: S608
    before = await adopted.rows()
    async with boarded(
        boards.world.database,
        boards.valkey,
        schema=boards.options.schema_name,
        **{**ODD, "guard": {**PROMPT, "rows": 1}},
    ) as careful:
        await careful.put({"daily": {f"u{number}": 6 for number in range(28)}})
        run = await careful.run()
        backup = (await careful.told(run)).backup
        await careful.sql(f"UPDATE {adopted.place} SET team = 'blue'")  # noqa: S608
        restored = await careful.run(act="restore", of=backup)

    assert backup is not None
    assert restored.outcome is Outcome.SUCCEEDED, restored
    assert await adopted.rows() == before
