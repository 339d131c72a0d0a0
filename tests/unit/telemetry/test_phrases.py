"""What people of the replaced leaderboard service search their log for."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from syncd.model.run import Cause, Outcome, Report, Run, RunId, RunOptions
from syncd.telemetry.event_log import EventLog
from syncd.telemetry.events import (
    Event,
    JobRegistered,
    Level,
    PhaseFinished,
    RunFinished,
    RunHeldUp,
    RunStarted,
)
from syncd.telemetry.logs import Logs

AT = datetime(2026, 11, 22, 6, tzinfo=UTC)
JOB = "leaderboard"
Tell = Callable[..., list[dict[str, Any]]]


def run(outcome: Outcome = Outcome.RUNNING, **changes: Any) -> Run:
    values = {
        "id": RunId(7),
        "job": JOB,
        "kind": "leaderboard",
        "cause": Cause.SCHEDULE,
        "outcome": outcome,
        "claimed_at": AT,
    }
    return Run(**(values | changes))


def ended(outcome: Outcome, away: str = "", **changes: Any) -> Event:
    return RunFinished(run=run(outcome, **changes), duration_seconds=1.5, away=away)


def held_up(job: str = JOB) -> Event:
    return RunHeldUp(run_id=7, job=job, error="cannot use it", hint="", retry_seconds=1)


@pytest.fixture
def tell(make_logs: Callable[..., Logs], printed: Callable[[], list[str]]) -> Tell:
    def write(*events: Event, level: Level = Level.INFO) -> list[dict[str, Any]]:
        log = EventLog(make_logs(level=level))
        for event in events:
            log(event)
        return [json.loads(line) for line in printed()]

    return write


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (RunOptions(), "Starting Redis -> PostgreSQL sync"),
        (RunOptions(dry_run=True), "Starting Redis -> PostgreSQL sync (dry run)"),
        (RunOptions(act="rehydrate"), "Starting PostgreSQL -> Redis rehydrate"),
        (RunOptions(act="undo", of=5), "Starting undo of deletions"),
    ],
)
def test_a_run_begins_with_what_it_is_about_to_do(
    tell: Tell, options: RunOptions, sentence: str
) -> None:
    (line,) = tell(RunStarted(run=run(options=options)))

    assert (line["message"], line["level"]) == (sentence, "info")


def test_a_sync_that_completed_says_so_before_its_counts(tell: Tell) -> None:
    report = Report(created=3, updated=2, deleted=1, skipped=4, failures={"held": 4})

    (line,) = tell(ended(Outcome.SUCCEEDED, report=report))

    assert (line["message"], line["level"]) == ("Sync completed", "info")
    assert [line[name] for name in ("created", "updated", "deleted")] == [3, 2, 1]
    assert line["failures"] == {"held": 4}


@pytest.mark.parametrize(
    ("away", "sentence"),
    [
        ("redis", "Redis cache unavailable"),
        ("postgresql", "Failed to get PostgreSQL users"),
        ("", "Failed to complete Redis -> PostgreSQL sync"),
    ],
)
def test_a_sync_that_failed_is_an_error_in_the_words_of_its_cause(
    tell: Tell, away: str, sentence: str
) -> None:
    (line,) = tell(ended(Outcome.FAILED, away, error="the sentence"))

    assert (line["message"], line["level"], line["error"]) == (sentence, "error", "the sentence")


def test_a_sync_of_which_something_is_held_completed_and_is_a_warning(tell: Tell) -> None:
    (line,) = tell(ended(Outcome.HELD))

    assert line["message"].startswith("Sync completed")
    assert line["level"] == "warning"


@pytest.mark.parametrize(
    "known_by",
    [
        RunStarted(run=run()),
        JobRegistered(
            job=JOB,
            kind="leaderboard",
            schedule="every 1h",
            timezone="UTC",
            enabled=True,
            next_fire_time=None,
        ),
    ],
    ids=["its run", "its registration"],
)
def test_a_leaderboard_run_that_waits_for_postgresql_is_an_error_in_the_old_words(
    tell: Tell, known_by: Event
) -> None:
    (line,) = tell(known_by, held_up(), level=Level.ERROR)

    assert line["message"] == "Failed to get PostgreSQL users"


def test_another_run_that_waits_for_postgresql_is_a_warning_without_a_sentence(
    tell: Tell,
) -> None:
    (line,) = tell(RunStarted(run=run()), held_up("profiles-main"))[1:]

    assert (line["level"], line.get("message")) == ("warning", None)


def test_a_phase_is_a_line_at_debug(tell: Tell) -> None:
    phase = PhaseFinished(run_id=7, job=JOB, phase="stage", duration_seconds=0.25)

    (line,) = tell(phase, level=Level.DEBUG)

    assert (line["message"], line["level"]) == ("Phase stage done", "debug")
    assert line["duration_seconds"] == 0.25
    assert tell(phase) == [line]
