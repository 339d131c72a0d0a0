"""Every recorded list of contests, from its answer over HTTP into PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime

import pytest
from fakes.announced import NOW, Almanac
from fakes.clock import FakeClock
from fakes.payloads import Recorded
from fakes.recorded import Line, Lines, reading
from fakes.recorded_contests import LISTS, ContestLine
from fakes.running import running

from syncd.model.contest import ContestList
from syncd.sandbox.server import serve
from syncd.store.database import Database


@pytest.fixture
async def almanac(database: Database) -> AsyncIterator[Almanac]:
    async with running(database, FakeClock(NOW)) as world:
        yield Almanac(world)


async def fetch(recorded: Recorded, line: Line) -> ContestList:
    clock, lines = FakeClock(), Lines(recorded, line)
    async with serve(lines) as url, reading(recorded.platform, url, clock) as platform:
        return await clock.run(platform.fetch_contests())


@pytest.mark.parametrize(
    ("recorded", "line"), LISTS, ids=lambda value: value.file if isinstance(value, Recorded) else ""
)
async def test_recorded_list_is_stored_whole_and_told_again_changes_nothing(
    almanac: Almanac, recorded: Recorded, line: ContestLine
) -> None:
    found = await fetch(recorded, line.served())

    first = await almanac.record(found)
    again = await almanac.record(found)

    stored = await almanac.world.rows("SELECT platform, count(*) FROM contests GROUP BY platform")
    assert {row["platform"]: row["count"] for row in stored} == line.of
    total = sum(line.of.values())
    assert (first.report.created, again.report.unchanged) == (total, total)
    assert (again.report.created, again.report.updated, await almanac.changes()) == (0, 0, [])
    rows = await almanac.rows()
    for external_id, expected in line.some.items():
        for field, value in expected.items():
            is_instant = field in {"starts_at", "ends_at"}
            wanted = datetime.fromisoformat(value) if is_instant else value
            told = rows[external_id][field]
            # NULL: it goes by one id alone.
            assert (external_id if told is None else told) == wanted
