from __future__ import annotations

from datetime import timedelta

import pytest
from fakes.clock import FakeClock

from syncd.schedule.drift import Drift


@pytest.mark.parametrize(
    ("jump", "kind"),
    [
        (timedelta(seconds=0.9), ""),
        (timedelta(seconds=-0.9), ""),
        (timedelta(seconds=4), ""),
        (timedelta(seconds=5), "late"),
        (timedelta(minutes=5), "late"),
        (timedelta(minutes=6), "forward"),
        (timedelta(hours=3), "forward"),
        (timedelta(hours=3, seconds=1), "corrected_forward"),
        (timedelta(days=3650), "corrected_forward"),
        (timedelta(seconds=-2), "backward"),
        (timedelta(hours=-3), "backward"),
        (timedelta(days=-3650), "corrected_backward"),
    ],
)
async def test_a_jump_of_the_wall_clock_is_told_by_its_size(jump: timedelta, kind: str) -> None:
    clock = FakeClock()
    drift = Drift(clock)
    await clock.advance(60)
    clock.jump_wall(jump)

    event = drift.look(0)

    assert (event.kind if event else "") == kind
    assert event is None or event.seconds == abs(jump.total_seconds())
    assert drift.look(0) is None


async def test_a_suspended_machine_is_told_from_a_clock_that_was_set() -> None:
    clock = FakeClock()
    drift = Drift(clock)
    clock.suspend(3 * 86_400)

    event = drift.look(0)

    assert event is not None
    assert (event.kind, event.seconds) == ("suspended", 3 * 86_400)


@pytest.mark.parametrize(
    ("overslept", "kind"), [(1, ""), (30, "late"), (300, "late"), (900, "suspended")]
)
async def test_a_process_that_stood_still_was_late_or_suspended(overslept: int, kind: str) -> None:
    clock = FakeClock()
    drift = Drift(clock)
    await clock.advance(60 + overslept)

    event = drift.look(overslept)

    assert (event.kind if event else "") == kind
    assert event is None or event.seconds == overslept
