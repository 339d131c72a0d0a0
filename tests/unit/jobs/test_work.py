from __future__ import annotations

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


def test_budget_hands_out_what_is_left_and_takes_back_what_was_not_used() -> None:
    budget, endless = Budget(10), Budget(None)

    assert (budget.take(7), budget.take(7), budget.take(7)) == (7, 3, 0)
    budget.give_back(2)
    assert (budget.take(7), endless.take(7)) == (2, 7)
