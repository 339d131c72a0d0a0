from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from syncd.model.run import Cause, Outcome, Report, Run, RunId, RunOptions
from syncd.telemetry import events
from syncd.telemetry.bus import Bus
from syncd.telemetry.event_log import EventLog
from syncd.telemetry.events import Event, Level
from syncd.telemetry.logs import Logs

MakeLogs = Callable[..., Logs]
Printed = Callable[[], list[str]]
MIDNIGHT_IN_INDIA = datetime(2026, 11, 21, 18, 30, tzinfo=UTC)


def run(**changes: Any) -> Run:
    values = {
        "id": RunId(4812),
        "job": "profiles-main",
        "kind": "profiles",
        "cause": Cause.SCHEDULE,
        "outcome": Outcome.RUNNING,
        "fire_time": MIDNIGHT_IN_INDIA,
        "claimed_at": MIDNIGHT_IN_INDIA,
        "started_at": MIDNIGHT_IN_INDIA,
    }
    return Run(**(values | changes))


def registered(timezone: str) -> Event:
    return events.JobRegistered(
        job="profiles-main",
        kind="profiles",
        schedule="0 0 * * *",
        timezone=timezone,
        enabled=True,
        next_fire_time=None,
    )


def failed_item(stack: str = "") -> Event:
    return events.ItemFailed(
        run_id=1,
        job="a",
        platform="github",
        account="octocat",
        outcome="not_found",
        error="no such user",
        attempt=1,
        stack=stack,
    )


@pytest.fixture
def lines_of(make_logs: MakeLogs, printed: Printed) -> Callable[..., list[dict[str, Any]]]:
    def tell(*told: Event, level: Level = Level.INFO) -> list[dict[str, Any]]:
        bus = Bus()
        with bus.subscribed(EventLog(make_logs(level=level))):
            for event in told:
                bus.emit(event)
        return [json.loads(line) for line in printed()]

    return tell


def test_an_event_becomes_a_line_of_its_name_level_and_fields(lines_of: Any) -> None:
    until = datetime(2026, 11, 22, 7, tzinfo=UTC)
    event = events.PlatformThrottled(
        platform="github", credential="1f3a", until=until, cause="quota"
    )

    line = lines_of(event)[0]

    assert line == {
        "timestamp": "2026-11-22T06:32:10.123Z",
        "level": "warning",
        "event": "platform.throttled",
        "platform": "github",
        "credential": "1f3a",
        "until": "2026-11-22T07:00:00+00:00",
        "cause": "quota",
        "is_long": False,
    }


def test_a_run_begins_with_the_sentence_people_search_for(lines_of: Any) -> None:
    _, line = lines_of(registered("Asia/Kolkata"), events.RunStarted(run=run()))

    assert line["message"] == "Running scheduled profile update at 12:00 AM IST"
    assert (line["run_id"], line["job"], line["cause"]) == (4812, "profiles-main", "schedule")


def test_a_run_without_a_daemon_names_its_time_in_the_zone_of_config_toml(
    make_logs: MakeLogs, printed: Printed
) -> None:
    tell = EventLog(make_logs(), {"profiles-main": "Asia/Kolkata"})

    tell(events.RunStarted(run=run(cause=Cause.MANUAL)))

    (line,) = [json.loads(text) for text in printed()]
    assert line["message"] == "Running manual profile update at 12:00 AM IST"


def test_a_run_of_a_job_that_was_not_registered_names_its_time_in_utc(lines_of: Any) -> None:
    (line,) = lines_of(events.RunStarted(run=run(cause=Cause.MANUAL)))

    assert line["message"] == "Running manual profile update at 6:30 PM UTC"


def test_the_last_line_of_a_run_holds_its_whole_report(lines_of: Any) -> None:
    report = Report(created=1, unchanged=2, failed=1, calls=4, failures={"not_found": 1})
    ended = run(
        outcome=Outcome.PARTIAL, report=report, error="1 item failed", options=RunOptions(limit=4)
    )

    (line,) = lines_of(events.RunFinished(run=ended, duration_seconds=1.23456))

    assert line == {
        "timestamp": "2026-11-22T06:32:10.123Z",
        "level": "warning",
        "event": "run.finished",
        "message": "Sync completed in part",
        "run_id": 4812,
        "job": "profiles-main",
        "kind": "profiles",
        "cause": "schedule",
        "fire_time": "2026-11-21T18:30:00+00:00",
        "attempt": 1,
        "limit": 4,
        "outcome": "partial",
        "started_at": "2026-11-21T18:30:00+00:00",
        "seen": 4,
        "created": 1,
        "updated": 0,
        "unchanged": 2,
        "deleted": 0,
        "skipped": 0,
        "failed": 1,
        "calls": 4,
        "saved": 0,
        "failures": {"not_found": 1},
        "error": "1 item failed",
        "duration_seconds": 1.235,
    }


@pytest.mark.parametrize(
    ("outcome", "level", "sentence"),
    [
        (Outcome.SUCCEEDED, "info", "Sync completed"),
        (Outcome.PARTIAL, "warning", "Sync completed in part"),
        (Outcome.FAILED, "error", "Sync failed"),
        (Outcome.CANCELLED, "info", "Sync cancelled"),
        (Outcome.INTERRUPTED, "warning", "Sync interrupted"),
    ],
)
def test_a_run_is_as_loud_as_it_ended(
    lines_of: Any, outcome: Outcome, level: str, sentence: str
) -> None:
    (line,) = lines_of(events.RunFinished(run=run(outcome=outcome), duration_seconds=1.0))

    assert (line["level"], line["message"]) == (level, sentence)


def test_a_failed_item_is_silent_unless_nobody_foresaw_it(lines_of: Any) -> None:
    (line,) = lines_of(failed_item(), failed_item(stack="Traceback\nKeyError: 'x'"))

    assert line["level"] == "error"
    assert line["stack"] == "Traceback\nKeyError: 'x'"


def test_a_failed_item_is_written_at_debug(lines_of: Any) -> None:
    (line,) = lines_of(failed_item(), level=Level.DEBUG)

    assert (line["level"], line["account"], line["outcome"]) == ("debug", "octocat", "not_found")
    assert "stack" not in line


def test_a_crashed_run_carries_its_stack(lines_of: Any) -> None:
    event = events.RunCrashed(run_id=1, job="a", error="KeyError: 'x'", stack="Traceback\n")

    (line,) = lines_of(event)

    assert (line["level"], line["stack"]) == ("error", "Traceback\n")


def test_a_progress_report_becomes_its_counts(lines_of: Any) -> None:
    event = events.RunProgressed(
        run_id=1,
        job="a",
        platform="github",
        done=2,
        total=3,
        report=Report(updated=2),
        rate=0.5,
        eta_seconds=None,
        waits_for="",
    )

    (line,) = lines_of(event, level=Level.DEBUG)

    assert (line["done"], line["seen"], line["updated"], line["rate"]) == (2, 2, 2, 0.5)
    assert "eta_seconds" not in line


@pytest.mark.parametrize(("is_long", "level"), [(False, "warning"), (True, "error")])
def test_a_pause_that_a_person_should_know_of_is_an_error_line(
    lines_of: Callable[..., list[dict[str, Any]]], is_long: bool, level: str
) -> None:
    at = datetime(2026, 3, 1, 12, 2, tzinfo=UTC)
    told = events.PlatformThrottled(
        platform="github", credential="main", until=at, cause="HTTP 429", is_long=is_long
    )

    (line,) = lines_of(told)

    assert line["level"] == level
