"""A run of the contests kind: every platform is looked at, none's failure hurts another."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from fakes.clock import FakeClock
from fakes.heralds import HERALDS, Heralds, heralds

from syncd.model.run import Outcome
from syncd.store.database import Database


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def world(database: Database, clock: FakeClock, tmp_path: Path) -> AsyncIterator[Heralds]:
    async with heralds(database, tmp_path, clock) as world:
        yield world


async def test_what_platforms_announce_is_stored_and_a_second_run_changes_nothing(
    world: Heralds,
) -> None:
    first = await world.run()
    second = await world.run()

    assert (first.error, second.error) == ("", "")
    assert (first.outcome, second.outcome) == (Outcome.SUCCEEDED, Outcome.SUCCEEDED)
    assert first.report.created == first.report.seen > 0
    assert second.report.unchanged == second.report.seen == first.report.seen
    assert (first.report.calls, second.report.calls) == (len(HERALDS), len(HERALDS))
    for name in HERALDS:
        stored = await world.stored(name)
        assert set(stored) >= set(world[name].contests_to_come())
        for number, told in world.standin(name).announced().items():
            if number in stored:
                assert stored[number]["starts_at"] == told["starts_at"]
                assert stored[number]["name"] == told["name"]
