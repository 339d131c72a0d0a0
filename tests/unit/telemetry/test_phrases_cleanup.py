"""What people of the replaced clean-up search their log for."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from syncd.model.run import Cause, Outcome, Run, RunId
from syncd.telemetry.events import ItemsCleaned, RunFinished, RunStarted
from syncd.telemetry.phrases import Phrases

AT = datetime(2026, 11, 22, 2, tzinfo=UTC)


def run(outcome: Outcome = Outcome.RUNNING) -> Run:
    return Run(
        id=RunId(7),
        job="cleanup",
        kind="cleanup",
        cause=Cause.SCHEDULE,
        outcome=outcome,
        claimed_at=AT,
    )


def test_the_start_is_told_in_the_words_of_the_replaced_clean_up() -> None:
    assert Phrases().of(RunStarted(run=run()), UTC) == "Starting data cleanup"


@pytest.mark.parametrize(
    ("outcome", "sentence"),
    [
        (Outcome.SUCCEEDED, "Cleanup completed: 12 contests removed"),
        (Outcome.PARTIAL, "Cleanup completed in part: 12 contests removed"),
        (Outcome.HELD, "Cleanup completed: 12 contests removed, something waits for a person"),
        (Outcome.FAILED, "Cleanup failed"),
    ],
)
def test_the_end_tells_how_many_contests_were_removed(outcome: Outcome, sentence: str) -> None:
    phrases = Phrases()
    phrases.learn(ItemsCleaned(run_id=7, job="cleanup", rule="contests", items=12, before=AT))

    ended = RunFinished(run=run(outcome), duration_seconds=1.0)

    assert phrases.of(ended, UTC) == sentence
