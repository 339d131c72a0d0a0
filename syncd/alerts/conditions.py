"""When somebody is told, and when not again: a pure function."""

from __future__ import annotations

from datetime import datetime, timedelta

from syncd.model.alert import AlertState, Condition, Topic, WaitingPlan
from syncd.model.run import Outcome, Run

TOLD_AGAIN_AFTER = timedelta(hours=24)


def decide(
    told: AlertState | None, run: Run, plan: WaitingPlan | None, now: datetime
) -> AlertState | None:
    """Return what is to be told of a job now, None if nothing is.

    Args:
        told: what was told last, None: nothing yet.
        run: the one that tells how the job is; no retry of it follows.
        plan: the job's newest plan.
        now: the time.
    """
    match run.outcome:
        case Outcome.FAILED | Outcome.ABANDONED:
            condition = Condition(run.outcome)
            is_news = told is None or _is_news(told, condition, run, now)
        case Outcome.HELD:
            condition = Condition.HELD
            is_news = _is_unknown(told, plan)
        case Outcome.SUCCEEDED | Outcome.PARTIAL if not run.error:
            condition = Condition.WELL
            is_news = told is not None and told.condition.is_trouble
        case _:
            return None
    return _state(told, condition, run, plan) if is_news else None


def _is_news(told: AlertState, condition: Condition, run: Run, now: datetime) -> bool:
    """Tell whether a failure begins, or has lasted for so long that it is told again."""
    if told.condition is not condition:
        return True
    if told.run_id == run.id or told.told_at is None:
        return False
    return now - told.told_at >= TOLD_AGAIN_AFTER


def _is_unknown(told: AlertState | None, plan: WaitingPlan | None) -> bool:
    """Tell whether nobody was told of what a run holds."""
    if plan is None:
        return told is None or told.condition is not Condition.HELD
    return plan.is_open and (told is None or told.plan_id != plan.id)


def _state(
    told: AlertState | None, condition: Condition, run: Run, plan: WaitingPlan | None
) -> AlertState:
    lasts = told is not None and told.condition.is_trouble
    known = told if lasts else None
    plan_id = plan.id if plan is not None and condition is Condition.HELD else None
    return AlertState(
        job=run.job,
        topic=Topic.RUNS,
        condition=condition,
        run_id=run.id,
        first_run=known.first_run if known else run.id,
        since=known.since if known else run.finished_at or run.claimed_at,
        plan_id=plan_id or (told.plan_id if told else None),
    )
