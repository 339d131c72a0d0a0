from __future__ import annotations

import json
from dataclasses import fields
from datetime import timedelta

import pytest
from fakes.clock import FakeClock
from fakes.running import draft
from pydantic_core import to_json

from syncd.daemon.answers import job_state, reconciliation_answer, run_answer, total_freshness
from syncd.model.leaderboard import (
    BoardDrift,
    BoardFacts,
    Deletes,
    Drift,
    PlanId,
    Reconciliation,
    SourceFacts,
    Verdict,
)
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


def test_a_reconciliation_is_told_in_the_words_of_its_fields() -> None:
    board = BoardDrift(redis_users=2, redis_sum=3.5, postgres_users=2, postgres_sum=3.5)
    source = SourceFacts(
        server_id="a1",
        uptime_seconds=9,
        evicted_keys=0,
        keys=4,
        evicts=False,
        is_replica=False,
        is_stale=False,
        boards={"daily": BoardFacts(members=2, expires_at=CLOCK.now())},
    )
    found = Reconciliation(
        run_id=7,
        job="leaderboard",
        mode="full",
        is_complete=True,
        is_dry=False,
        at=CLOCK.now(),
        verdict=Verdict(
            reasons=("half of the table is missing",), is_hard=True, deletes=Deletes.NONE
        ),
        plan=PlanId(3),
        seconds={"read": 0.25},
        drift=Drift(redis_users=2, postgres_users=2, rows=0, boards={"daily": board}),
        source=source,
    )

    told = json.loads(to_json(reconciliation_answer(found)))

    assert set(told) == {field.name for field in fields(Reconciliation)}
    assert (told["plan"], told["backup"], told["at"]) == (3, None, "2026-01-01T00:00:00Z")
    assert told["verdict"]["reasons"] == ["half of the table is missing"]
    assert told["drift"]["boards"]["daily"]["redis_sum"] == 3.5
    assert told["source"]["boards"]["daily"]["expires_at"] == "2026-01-01T00:00:00Z"
    assert reconciliation_answer(None) is None
