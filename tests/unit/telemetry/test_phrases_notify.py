"""What people of the replaced contest service search their log for."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from syncd.model.run import Cause, Outcome, Run, RunId, RunOptions
from syncd.telemetry.events import NotificationsDispatched, RunStarted
from syncd.telemetry.phrases import Phrases

AT = datetime(2026, 11, 22, 6, tzinfo=UTC)
COUNTS = {
    "sent": 9,
    "failed": 0,
    "unknown": 0,
    "put_off": 0,
    "expired": 0,
    "dropped": 0,
}


def run(**changes: Any) -> Run:
    values = {"id": RunId(7), "job": "tell", "kind": "notify", "cause": Cause.SCHEDULE}
    return Run(**(values | {"outcome": Outcome.RUNNING, "claimed_at": AT} | changes))


@pytest.mark.parametrize(
    ("event", "sentence"),
    [
        (RunStarted(run=run()), "Starting notification dispatch"),
        (
            RunStarted(run=run(options=RunOptions(dry_run=True))),
            "Starting notification dispatch (dry run)",
        ),
        (
            NotificationsDispatched(run_id=7, job="tell", users=5, **COUNTS),
            "Notifications dispatched to 5 users",
        ),
    ],
)
def test_a_line_begins_with_the_sentence_of_the_replaced_service(event: Any, sentence: str) -> None:
    assert Phrases().of(event, UTC) == sentence
