"""What people of the replaced contest sync search their log for, and what is not told."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from syncd.model.run import Cause, Outcome, Report, Run, RunId
from syncd.telemetry.event_log import EventLog
from syncd.telemetry.events import ContestsSought, RunFinished, RunStarted
from syncd.telemetry.phrases import Phrases

AT = datetime(2026, 11, 22, 6, tzinfo=UTC)


def run(outcome: Outcome = Outcome.RUNNING, **changes: Any) -> Run:
    values = {"id": RunId(7), "job": "near", "kind": "contests", "cause": Cause.SCHEDULE}
    report = Report(unchanged=12, calls=4)
    return Run(**(values | {"outcome": outcome, "claimed_at": AT, "report": report} | changes))


def sought(**changes: Any) -> ContestsSought:
    told = {"run_id": 7, "job": "near", "cause": "schedule", "sources": ("atcoder",)}
    return ContestsSought(**(told | changes))


@pytest.mark.parametrize(
    ("event", "sentence"),
    [
        (RunStarted(run=run()), ""),
        (sought(), "Starting scheduled contest sync"),
        (sought(cause="manual", dry_run=True), "Starting manual contest sync (dry run)"),
        (sought(cause="retry"), "Starting repeated contest sync"),
        (RunFinished(run=run(Outcome.SUCCEEDED), duration_seconds=1), "Contest sync completed"),
        (
            RunFinished(run=run(Outcome.PARTIAL), duration_seconds=1),
            "Contest sync completed in part",
        ),
        (RunFinished(run=run(Outcome.FAILED), duration_seconds=1), "Contest sync failed"),
        (RunFinished(run=run(Outcome.CANCELLED), duration_seconds=1), "Contest sync cancelled"),
    ],
)
def test_a_line_begins_with_the_sentence_of_the_replaced_sync(event: Any, sentence: str) -> None:
    assert Phrases().of(event, UTC) == sentence


def test_a_look_that_asks_nobody_is_silent(
    make_logs: Callable[[], Any], printed: Callable[[], list[str]]
) -> None:
    tell = EventLog(make_logs())

    tell(RunStarted(run=run()))
    tell(RunFinished(run=run(Outcome.SUCCEEDED, report=Report()), duration_seconds=0.1))
    tell(RunFinished(run=run(Outcome.FAILED, report=Report()), duration_seconds=0.1))

    assert [json.loads(line)["message"] for line in printed()] == ["Contest sync failed"]
