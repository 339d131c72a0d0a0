"""How PostgreSQL goes about deciding who is due, where its statistics mislead it."""

from __future__ import annotations

import pytest
from fakes.clock import FakeClock
from fakes.notified import notified

from syncd.store.blocks import load_blocks
from syncd.store.database import Database

PEOPLE = 3_000
FILL = (
    "INSERT INTO users (key) SELECT 'u' || n FROM generate_series(1, $1::integer) AS n",
    """
    INSERT INTO notify_preferences (user_id, platforms, leads, updated_at)
    SELECT id, '{}', '{24}', now() - interval '30 days' FROM users LIMIT $1
    """,
    """
    INSERT INTO notify_addresses (user_id, channel, address)
    SELECT id, 'email', key FROM users LIMIT $1
    """,
)


@pytest.mark.parametrize("users", [(0, 500), (0, PEOPLE)])
async def test_statistics_of_a_moment_in_which_rows_were_made_do_not_compare_each_with_each(
    database: Database, users: tuple[int, int]
) -> None:
    clock, sql = FakeClock(), load_blocks("notifications_arm")
    values = (clock.now(), clock.now(), ["email"], [], [], [], [], None, None)
    async with notified(database, clock, "email") as world:
        for statement in FILL:
            await world.world.rows(statement, PEOPLE)
        for number in range(5):
            await world.contest(5, f"c{number}")
        await world.world.rows("ANALYZE users, notify_preferences, notify_addresses, contests")
        async with database.transaction() as connection:
            await connection.execute(sql["plan_well"])
            made = await connection.fetch(sql["arm"], 0, PEOPLE, *values)
            # What is not committed has pages, and does not count as rows.
            await world.world.rows("ANALYZE notifications")

        async with database.transaction() as connection:
            await connection.execute(sql["plan_well"])
            told = await connection.fetch(f"EXPLAIN {sql['arm']}", *users, *values)

    plan = "\n".join(row[0] for row in told)
    assert [row["deliveries"] for row in made] == [PEOPLE * 5]
    assert "Hash Anti Join" in plan
    assert "Nested Loop Anti Join" not in plan
