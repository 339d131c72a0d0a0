"""What gates remember, in the table `gates`."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from syncd.model.gate import GateState
from syncd.store.database import Database
from syncd.store.gates import GateStore

NOON = datetime(2026, 3, 1, 12, 2, tzinfo=UTC)
WHOLE = GateState(
    platform="github",
    credential="main",
    fingerprint="0123456789ab",
    paused_until=NOON,
    pause_cause="secondary limit",
    pauses_in_a_row=2,
    openings=3,
    opened_at=NOON,
    open_until=NOON,
    failure="blocked",
    error="a web page",
    used_up={"core/reserve": NOON, "graphql": NOON},
)
NOTHING = GateState(platform="github", credential="second")


async def test_what_is_written_is_read_again_whole(database: Database) -> None:
    store = GateStore(database)

    await store.write([NOTHING, WHOLE])

    assert await store.read() == [WHOLE, NOTHING]


async def test_the_last_word_about_a_gate_stays(database: Database) -> None:
    store = GateStore(database)
    await store.write([WHOLE, NOTHING])
    healed = replace(NOTHING, credential="main", fingerprint="ba9876543210")

    await store.write([healed])
    await store.write([healed])

    assert await store.read() == [healed, NOTHING]
