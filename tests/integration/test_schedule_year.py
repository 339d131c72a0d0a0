"""Twenty jobs and their random lives over a real PostgreSQL, row by row as the model has it."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import Any, cast

import pytest
from fakes.running import Running
from fakes.year import Fused, Year, YearClock, assert_same, closing

from syncd.engine.base import Engine
from syncd.engine.local import LocalEngine
from syncd.jobs.base import Surroundings
from syncd.runs.runner import Runner
from syncd.store.database import Database
from syncd.store.runs import RunStore


def opening_over(database: Database) -> Any:
    """Give every process an engine and a runner of its own, over one database."""

    async def opening(
        clock: YearClock, holder: str
    ) -> tuple[Surroundings, Engine, contextlib.AsyncExitStack]:
        around = Running(database, clock, holder).around
        ledger = cast("Any", Fused(RunStore(database, holder)))
        around = replace(around, stores=replace(around.stores, runs=ledger))
        stack = contextlib.AsyncExitStack()
        engine = await stack.enter_async_context(LocalEngine(Runner(around)))
        return around, engine, stack

    return opening


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.full)])
async def test_every_fire_in_postgresql_has_the_verdict_that_the_model_gives(
    database: Database, seed: int
) -> None:
    year = Year(seed=seed, jobs=20, opening=opening_over(database), calm_days=0.25)
    async with closing(year):
        await year.live(4)
        runs = await RunStore(database, "reader").list_newest(None, None, 1_000_000)
        assert_same(year, runs)

    assert len(runs) > 300
