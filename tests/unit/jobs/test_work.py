from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from fakes.clock import FakeClock
from fakes.sweeping import SweepingPlatform

from syncd.jobs.work import Budget, Work
from syncd.outbound.gate import Limits
from syncd.store.accounts import Selection
from syncd.telemetry.bus import Bus


@pytest.fixture
def work() -> Work:
    clock = FakeClock()
    platform = SweepingPlatform(clock, Bus())
    platform.limits = Limits(rate=10)
    selection = Selection(kind="profiles", platforms=("play",), began_at=clock.now())
    return Work(
        platform=platform,
        selection=selection,
        claim=100,
        attempts=3,
        budget=Budget(None),
        sweeps=True,
    )


@pytest.mark.parametrize(
    ("claim", "page", "haul"), [(1, 1, 1), (5, 1, 5), (100, 20, 100), (400, 20, 100)]
)
def test_haul_is_what_one_sweep_can_tell_of_within_the_claim(
    work: Work, claim: int, page: int, haul: int
) -> None:
    work = replace(work, claim=claim)

    assert (work.page, work.haul) == (page, haul)


def test_haul_is_a_page_where_nothing_is_swept(work: Work) -> None:
    assert replace(work, sweeps=False).haul == work.page == 20


async def test_budget_hands_out_what_is_left_and_what_others_give_back() -> None:
    budget, endless = Budget(10), Budget(None)
    taken = [await budget.take(7), await budget.take(7)]

    waiting = [asyncio.create_task(budget.take(7)) for _ in range(2)]
    await asyncio.sleep(0)
    budget.use(8)
    await asyncio.sleep(0)
    ended_early = [task.done() for task in waiting]
    budget.give_back(2)
    later = await waiting[0]
    budget.use(2)

    assert (taken, ended_early, later, await waiting[1]) == ([7, 3], [False, False], 2, 0)
    assert (await endless.take(7), await endless.take(7)) == (7, 7)


@pytest.mark.parametrize(
    ("claim", "slots", "page", "most"),
    [(5, 1, 70, 70), (100, 1, 70, 100), (1_000, 3, 210, 1_000), (70, 1, 70, 70)],
)
def test_a_page_holds_whole_questions_and_one_at_least(
    work: Work, claim: int, slots: int, page: int, most: int
) -> None:
    work.platform.batch_size = 70  # type: ignore[misc]
    work.platform.limits = Limits(rate=2, slots=slots)

    work = replace(work, claim=claim, sweeps=False)

    assert (work.page, work.haul, work.most) == (page, page, most)
