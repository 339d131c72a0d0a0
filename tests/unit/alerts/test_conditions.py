"""When somebody is told of a job, and when not again."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from syncd.alerts.conditions import decide
from syncd.model.alert import AlertState, Condition, Topic, WaitingPlan
from syncd.model.run import Cause, Outcome, Run, RunId

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def a_run(outcome: Outcome, number: int = 7, *, error: str = "", at: datetime = NOW) -> Run:
    return Run(
        id=RunId(number),
        job="board",
        kind="leaderboard",
        cause=Cause.SCHEDULE,
        outcome=outcome,
        claimed_at=at,
        finished_at=at,
        error=error,
    )


def a_plan(number: int = 3, *, is_open: bool = True) -> WaitingPlan:
    return WaitingPlan(
        id=number,
        is_open=is_open,
        deletes=350,
        updates=0,
        holds_updates=False,
        base=1000,
        reasons=(),
        is_hard=True,
        expires_at=NOW + 24 * HOUR,
    )


def tell(
    told: AlertState | None,
    run: Run,
    plan: WaitingPlan | None = None,
    now: datetime | None = None,
) -> AlertState:
    """Decide that something is told, and tell it at once."""
    now = now or run.finished_at or NOW
    state = decide(told, run, plan, now)
    assert state is not None
    assert state.told_at is None
    return replace(state, told_at=now)


FAILED = tell(None, a_run(Outcome.FAILED))


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.ABANDONED])
def test_the_first_run_that_ends_badly_is_told(outcome: Outcome) -> None:
    state = decide(None, a_run(outcome), None, NOW)

    assert state is not None
    assert (state.topic, state.condition) == (Topic.RUNS, Condition(outcome))
    assert (state.run_id, state.first_run, state.since) == (7, 7, NOW)


def test_the_same_run_is_told_once() -> None:
    assert decide(FAILED, a_run(Outcome.FAILED), None, NOW + 48 * HOUR) is None


def test_a_failure_that_lasts_is_told_again_after_a_day_and_not_before() -> None:
    early, late = NOW + 23 * HOUR, NOW + 24 * HOUR

    assert decide(FAILED, a_run(Outcome.FAILED, 8, at=early), None, early) is None
    again = decide(FAILED, a_run(Outcome.FAILED, 9, at=late), None, late)

    assert again is not None
    assert (again.run_id, again.first_run, again.since) == (9, 7, NOW)


def test_a_job_that_was_well_all_the_time_says_nothing() -> None:
    assert decide(None, a_run(Outcome.SUCCEEDED), None, NOW) is None


@pytest.mark.parametrize("outcome", [Outcome.SUCCEEDED, Outcome.PARTIAL])
def test_recovery_is_told_once_and_names_when_the_trouble_began(outcome: Outcome) -> None:
    well = tell(FAILED, a_run(outcome, 9, at=NOW + HOUR))

    assert (well.condition, well.run_id) == (Condition.WELL, 9)
    assert (well.first_run, well.since) == (7, NOW)
    assert decide(well, a_run(Outcome.SUCCEEDED, 10), None, NOW) is None


def test_a_run_that_failed_half_way_neither_begins_nor_ends_a_failure() -> None:
    half = a_run(Outcome.PARTIAL, 8, error="stopped at its deadline")

    assert decide(None, half, None, NOW) is None
    assert decide(FAILED, half, None, NOW) is None


def test_trouble_after_a_recovery_is_new() -> None:
    well = tell(FAILED, a_run(Outcome.SUCCEEDED, 8))

    again = tell(well, a_run(Outcome.FAILED, 9, at=NOW + HOUR))

    assert (again.first_run, again.since) == (9, NOW + HOUR)


def test_a_plan_is_told_once_however_many_runs_stay_held_by_it() -> None:
    held = tell(None, a_run(Outcome.HELD), a_plan())

    assert held.plan_id == 3
    assert decide(held, a_run(Outcome.HELD, 8), a_plan(), NOW + 72 * HOUR) is None


def test_another_plan_is_told_as_well() -> None:
    held = tell(None, a_run(Outcome.HELD), a_plan())

    other = tell(held, a_run(Outcome.HELD, 8), a_plan(4))

    assert (other.plan_id, other.first_run) == (4, 7)


def test_a_plan_that_somebody_decided_already_is_not_told() -> None:
    assert decide(None, a_run(Outcome.HELD), a_plan(is_open=False), NOW) is None


def test_a_plan_is_not_told_again_after_a_failure_in_between() -> None:
    held = tell(None, a_run(Outcome.HELD), a_plan())
    failed = tell(held, a_run(Outcome.FAILED, 8))

    assert decide(failed, a_run(Outcome.HELD, 9), a_plan(), NOW) is None


def test_a_held_run_without_a_plan_is_told_once() -> None:
    held = tell(None, a_run(Outcome.HELD))

    assert decide(held, a_run(Outcome.HELD, 8), None, NOW + 48 * HOUR) is None


@pytest.mark.parametrize("outcome", [Outcome.CANCELLED, Outcome.INTERRUPTED, Outcome.RUNNING])
def test_what_says_nothing_about_the_job_is_not_told(outcome: Outcome) -> None:
    assert decide(FAILED, a_run(outcome, 8), None, NOW + 48 * HOUR) is None
