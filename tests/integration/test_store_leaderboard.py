"""The table follows the boards: what comes, changes and goes, and counts that are true."""

from __future__ import annotations

import pytest
from fakes.benches import World

from syncd.store.database import Database


@pytest.fixture
def world(database: Database) -> World:
    return World.over(database)


async def test_the_table_becomes_what_the_boards_say(world: World) -> None:
    await world.sync({"ada": (1, 2, 3, 4), "bob": (None, 5, None, 0.25)})
    first = await world.table()

    passed = await world.sync({"ada": (1, 2, 3, 9), "cy": (1, None, None, 1)})

    assert first == {"ada": (1, 2, 3, 4), "bob": (0, 5, 0, 0.25)}
    assert await world.table() == {"ada": (1, 2, 3, 9), "cy": (1, 0, 0, 1)}
    report = await world.report(passed.run_id)
    assert (report.created, report.updated, report.deleted, report.unchanged) == (1, 1, 1, 0)
    assert report.seen == 3
    assert passed.drift.rows == 0
