"""A simulated year: restarts, pauses, jumps and overlaps, row by row as the model has it."""

from __future__ import annotations

import contextlib
from typing import Any, cast

import pytest
from fakes.memory_ledger import MemoryLedger, Tables
from fakes.year import Fused, Opening, PretendEngine, Year, YearClock, assert_same, closing

from syncd.engine.base import Engine
from syncd.jobs.admission import Admission
from syncd.jobs.base import Stores, Surroundings
from syncd.telemetry.bus import Bus


def opening_over(tables: Tables, year: dict[str, Year]) -> Opening:
    """Give every process its view of one ledger in memory."""

    async def opening(
        clock: YearClock, holder: str
    ) -> tuple[Surroundings, Engine, contextlib.AsyncExitStack]:
        real = MemoryLedger(tables, holder)
        nothing = cast("Any", None)
        around = Surroundings(
            clock=clock,
            bus=Bus(),
            stores=Stores(
                database=nothing,
                runs=cast("Any", Fused(real)),
                accounts=nothing,
                sync=nothing,
                mirror=nothing,
                scores=nothing,
                leaderboards=nothing,
                plans=nothing,
                grants=nothing,
                listening=nothing,
                contests=nothing,
                cleanup=nothing,
                notifications=nothing,
            ),
            platforms={},
            admission=Admission(clock),
            grants=nothing,
        )
        engine = PretendEngine(real, clock, year["is"].takes)
        return around, engine, contextlib.AsyncExitStack()

    return opening


async def simulate(seed: int, jobs: int, days: float, *, followers: int = 0) -> int:
    """Live through a time, compare the ledgers, and return how many fires there were."""
    tables, holder = Tables(), {}
    opening = opening_over(tables, holder)
    year = holder["is"] = Year(seed=seed, jobs=jobs, opening=opening, followers=followers)
    async with closing(year):
        await year.live(days)
        assert_same(year, list(tables.runs.values()))
    return len(tables.runs)


@pytest.mark.parametrize("seed", range(3))
async def test_every_fire_has_the_verdict_that_the_model_gives(seed: int) -> None:
    assert await simulate(seed, jobs=8, days=15) > 500


@pytest.mark.parametrize("seed", range(10, 13))
async def test_jobs_that_come_after_others_have_the_runs_that_the_model_gives(seed: int) -> None:
    assert await simulate(seed, jobs=6, days=10, followers=4) > 500


@pytest.mark.full
@pytest.mark.parametrize("seed", range(100, 110))
async def test_every_fire_of_a_year_has_the_verdict_that_the_model_gives(seed: int) -> None:
    assert await simulate(seed, jobs=20, days=365) > 50_000


@pytest.mark.full
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", range(201, 204))
async def test_a_thousand_jobs_have_the_verdicts_that_the_model_gives(seed: int) -> None:
    assert await simulate(seed, jobs=1_000, days=3) > 20_000
