"""The words in which somebody is told."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from syncd.alerts.message import Facts, clean, to_body
from syncd.model.alert import AlertState, Condition, Topic, WaitingPlan
from syncd.model.run import Cause, Outcome, Report, Run, RunId

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
RUN = Run(
    id=RunId(12),
    job="board",
    kind="leaderboard",
    cause=Cause.SCHEDULE,
    outcome=Outcome.FAILED,
    claimed_at=NOW,
    finished_at=NOW,
    report=Report(created=3, updated=2000, failed=1, failures={"poisoned": 1}),
    error="cannot read Redis",
    hint="start it",
)
STATE = AlertState(
    job="board",
    topic=Topic.RUNS,
    condition=Condition.FAILED,
    run_id=12,
    first_run=12,
    since=NOW,
)
PLAN = WaitingPlan(
    id=7,
    is_open=True,
    deletes=350,
    updates=0,
    holds_updates=False,
    base=1000,
    reasons=("350 of 1,000 users are on no board",),
    is_hard=False,
    expires_at=NOW + timedelta(hours=24),
)


def body(
    run: Run = RUN, plan: WaitingPlan | None = None, bad_runs: int = 0, **state: Any
) -> dict[str, Any]:
    facts = Facts(state=replace(STATE, **state), run=run, plan=plan, bad_runs=bad_runs)
    return to_body(facts)


def test_a_failure_names_the_job_the_run_why_and_what_to_do() -> None:
    told = body()

    assert (told["event"], told["job"], told["run"]) == ("run.failed", "board", 12)
    assert told["title"] == "syncd: board fails: run 12 failed"
    assert told["content"].splitlines() == [
        told["title"],
        "cannot read Redis",
        "What to do: start it",
        "2,004 seen, 3 created, 2,000 updated, 1 failed",
    ]
    assert told["report"]["failures"] == {"poisoned": 1}
    assert told["at"] == "2026-11-22T12:00:00+00:00"


def test_a_failure_that_lasts_says_since_when() -> None:
    told = body(first_run=9, since=NOW - timedelta(days=1))

    assert told["title"] == "syncd: board still fails: run 12 failed"
    assert "It does so since 2026-11-21 12:00 UTC." in told["content"]


def test_a_held_run_names_its_plan_and_what_to_type() -> None:
    error = "; ".join(PLAN.reasons)
    held = replace(RUN, outcome=Outcome.HELD, error=error)
    told = body(held, PLAN, condition=Condition.HELD)

    assert (told["event"], told["plan"]) == ("run.held", 7)
    assert "Plan 7: 350 deletions of 1,000 rows wait until 2026-11-23 12:00 UTC." in told["content"]
    assert told["content"].count("350 of 1,000 users are on no board") == 1
    assert "`syncd approve 7` or `syncd reject 7`" in told["content"]


def test_a_hard_stop_says_the_number_that_must_be_typed() -> None:
    held = replace(RUN, outcome=Outcome.HELD)

    told = body(held, replace(PLAN, is_hard=True), condition=Condition.HELD)

    assert "`syncd approve 7 --deletes N`" in told["content"]


def test_a_recovery_says_how_often_it_failed_and_since_when() -> None:
    well = replace(RUN, outcome=Outcome.SUCCEEDED, error="", hint="")

    told = body(well, bad_runs=5, condition=Condition.WELL, since=NOW - timedelta(hours=5))

    assert told["event"] == "job.recovered"
    assert told["title"] == "syncd: board is well again"
    assert (
        "Run 12 succeeded, after 5 runs that ended badly since 2026-11-22 07:00 UTC."
        in told["content"]
    )


def test_a_large_change_says_how_much_and_how_to_go_back() -> None:
    done = replace(RUN, outcome=Outcome.SUCCEEDED)
    detail = {"changed": 4000, "base": 10000, "backup": 2}

    told = body(done, condition=Condition.CHANGED, topic=Topic.CHANGE, detail=detail)

    assert told["event"] == "run.changed_much"
    assert "4,000 of 10,000 rows changed; `syncd restore 2`" in told["content"]
    assert told["change"] == detail


def test_consents_that_end_soon_are_told_by_their_number() -> None:
    done = replace(RUN, outcome=Outcome.SUCCEEDED)
    detail = {"platform": "spotify", "users": 3, "days": 30}

    told = body(done, condition=Condition.EXPIRING, topic=Topic.GRANTS, detail=detail)

    assert (told["event"], told["grants"]) == ("grants.expiring", detail)
    assert "The spotify consent of 3 users ends within 30 days" in told["content"]


def test_foreign_words_are_one_clean_bounded_line() -> None:
    odd = "a\x1b[31m\nb\0\u202ec  " + "x" * 5000

    assert clean(odd).startswith("a [31m b c xxx")
    assert len(clean(odd)) == 400


def test_nobody_is_mentioned_by_what_an_error_says() -> None:
    told = body(replace(RUN, error="<!channel> & @everyone"))

    assert "&lt;!channel&gt; &amp; @everyone" in told["text"]
    assert "<!channel> & @everyone" in told["content"]
    assert told["allowed_mentions"] == {"parse": []}


def test_the_longest_body_is_within_what_discord_takes() -> None:
    long = "€" * 9000
    plan = replace(PLAN, reasons=(long,) * 9)

    told = body(replace(RUN, error=long, hint=long), plan, condition=Condition.HELD)

    assert len(told["content"]) <= 2000
    assert len(json.dumps(told)) < 64 * 1024
