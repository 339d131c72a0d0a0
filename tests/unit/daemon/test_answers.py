from __future__ import annotations

from datetime import timedelta

import pytest
from fakes.clock import FakeClock
from fakes.running import draft

from syncd.daemon.answers import job_state, run_answer, total_freshness
from syncd.model.run import Outcome, Report

CLOCK = FakeClock()


@pytest.mark.parametrize(
    ("facts", "state"),
    [
        ({"running": True, "enabled": False, "paused": True}, "running"),
        ({"enabled": False, "paused": True}, "off"),
        ({"paused": True}, "paused"),
        ({}, "never"),
        ({"last": draft(CLOCK, outcome=Outcome.SUCCEEDED)}, "ok"),
        ({"last": draft(CLOCK, outcome=Outcome.PARTIAL)}, "partial"),
    ],
)
def test_a_job_is_described_in_one_word(facts: dict[str, object], state: str) -> None:
    quiet = {"enabled": True, "paused": False, "running": False, "last": None}

    assert job_state(**{**quiet, **facts}) == state  # type: ignore[arg-type]


def test_freshness_is_added_up_and_unknown_where_nobody_is_followed() -> None:
    rows = [{"followed": 3, "fresh": 2}, {"followed": 1, "fresh": 1}]

    assert total_freshness(rows) == {"followed": 4, "fresh": 3, "share": 0.75}
    assert total_freshness([])["share"] is None


def test_a_run_tells_how_long_it_took_or_takes() -> None:
    began = CLOCK.now()
    later = began + timedelta(seconds=90)
    runs = {"running": Outcome.RUNNING, "claimed": Outcome.CLAIMED}
    started = {"running": began, "claimed": None}

    told = {
        name: run_answer(draft(CLOCK, outcome=outcome, started_at=started[name]), {}, later)
        for name, outcome in runs.items()
    }

    assert told["running"]["duration_seconds"] == 90
    assert told["claimed"]["duration_seconds"] is None


def test_the_counts_of_a_run_are_told_and_add_up() -> None:
    report = Report(created=1, updated=2, failed=3, failures={"not_found": 3})

    told = run_answer(draft(CLOCK, report=report), {}, CLOCK.now())

    assert (told["seen"], told["failures"]) == (6, {"not_found": 3})
