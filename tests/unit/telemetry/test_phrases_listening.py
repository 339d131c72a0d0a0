"""What people of the replaced Spotify sync search their log for."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from syncd.model.run import Cause, Outcome, Run, RunId, RunOptions
from syncd.telemetry.events import PlaysStored, RunFinished, RunStarted, UsersFound
from syncd.telemetry.phrases import Phrases

AT = datetime(2026, 11, 22, 6, tzinfo=UTC)


def run(outcome: Outcome = Outcome.RUNNING, **changes: Any) -> Run:
    values = {"id": RunId(7), "job": "plays", "kind": "listening", "cause": Cause.SCHEDULE}
    return Run(**(values | {"outcome": outcome, "claimed_at": AT} | changes))


def plays(**changes: Any) -> PlaysStored:
    who = {"run_id": 7, "job": "plays", "platform": "spotify", "account": "ada", "user_key": "u1"}
    return PlaysStored(**(who | changes))


def ended(outcome: Outcome, **changes: Any) -> RunFinished:
    return RunFinished(run=run(outcome, **changes), duration_seconds=12.34)


@pytest.mark.parametrize(
    ("event", "sentence"),
    [
        (RunStarted(run=run()), "Starting scheduled sync for all users..."),
        (
            RunStarted(run=run(cause=Cause.MANUAL, options=RunOptions(only=("u1",)))),
            "Starting manual sync for users u1...",
        ),
        (UsersFound(run_id=7, job="plays", users=12), "Found 12 users with Spotify connected"),
        (plays(inserted=5, repeated=2), "User [u1]: Synced 5 tracks"),
        (plays(inserted=5, dry_run=True), "User [u1]: Synced 5 tracks (dry run)"),
        (plays(error="refused"), "User [u1]: error"),
        (ended(Outcome.SUCCEEDED), "Scheduled sync completed in 12.3s"),
        (ended(Outcome.PARTIAL), "Scheduled sync completed in 12.3s, in part"),
        (ended(Outcome.FAILED), "Scheduled sync failed after 12.3s"),
    ],
)
def test_a_line_begins_with_the_sentence_of_the_replaced_sync(event: Any, sentence: str) -> None:
    assert Phrases().of(event, UTC) == sentence
