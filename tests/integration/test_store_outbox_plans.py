"""Looking at the outbox costs what waits in it, however much was ever sent."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from syncd.store.blocks import load_blocks
from syncd.store.database import Connection, Database

AT = datetime(2026, 3, 1, tzinfo=UTC)
SENT = 20_000
FILL = """
    INSERT INTO notifications (user_id, contest_id, channel, occasion, lead_hours,
        schedule_version, platform, contest_name, contest_url, starts_at, ends_at, due_at,
        expires_at, state)
    SELECT n, 1, 'email', 'reminder', 24, 1, 'atcoder', 'ABC', '', $1, $1, $1, $1,
        CASE WHEN n > 40 THEN 'sent'
            ELSE (ARRAY['pending', 'sending', 'failed', 'unknown'])[1 + n % 4] END
    FROM generate_series(1, $2::integer) AS n
"""
OPEN = ("pending", "sending", "failed", "unknown")
QUESTIONS: Mapping[str, tuple[str, str, tuple[Any, ...]]] = {
    "counts": ("notifications", "outbox", (AT,)),
    "all": ("outbox", "read_outbox", (OPEN, None, None, None, None, 50)),
    "unknown": ("outbox", "read_outbox", (("unknown",), None, None, None, None, 50)),
    "channel": ("outbox", "read_outbox", (("failed",), "email", None, None, None, 50)),
    "retry": ("outbox", "retry_deliveries", (None, None, AT, ("unknown",))),
    "waiting": ("notifications", "count_waiting", (["email"], AT, None)),
    "next": ("notifications", "next_attempts", (["email"], AT)),
}


@pytest.fixture
async def connection(database: Database) -> AsyncIterator[Connection]:
    async with database.transaction() as connection:
        await connection.execute(FILL, AT, SENT)
        await connection.execute("ANALYZE notifications")
        yield connection


@pytest.mark.parametrize("question", QUESTIONS)
async def test_no_look_at_the_outbox_goes_through_what_was_sent(
    connection: Connection, question: str
) -> None:
    file, block, values = QUESTIONS[question]

    told = await connection.fetchval(
        f"EXPLAIN (ANALYZE, FORMAT JSON) {load_blocks(file)[block]}", *values
    )

    assert looked_at(json.loads(told)[0]["Plan"]) < SENT / 10


def looked_at(plan: Mapping[str, Any]) -> float:
    """Count the rows that a plan reads, used or not."""
    own = plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0)
    return max([own, *map(looked_at, plan.get("Plans", []))])
