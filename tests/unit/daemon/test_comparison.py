"""What syncd reported held against what must have come of it: every difference has words."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from syncd.daemon.comparison import Pass, Seen, Share
from syncd.daemon.findings import Scores
from syncd.model.run import Cause, Outcome, Report, Run, RunId

BEGAN = datetime(2026, 11, 22, tzinfo=UTC)
REPORT = Report(updated=1, unchanged=2, failed=1, calls=4, saved=2, failures={"not_found": 1})
SEEN = Seen(requests=4, quota_used=2)


def to_pass(report: Report = REPORT, seen: Seen = SEEN, **share: Any) -> Pass:
    run = Run(
        id=RunId(1),
        job="github-profiles",
        kind="profiles",
        cause=Cause.MANUAL,
        outcome=Outcome.PARTIAL,
        claimed_at=BEGAN,
        started_at=BEGAN,
        finished_at=BEGAN + timedelta(seconds=2),
        report=report,
    )
    share = {"platform": "github", "expected": REPORT, "foretells_calls": True, **share}
    return Pass(
        name="second pass",
        runs=(run,),
        shares=(Share(report=report, seen=seen, **share),),
    )


def test_pass_that_reports_what_happened_has_no_mismatch() -> None:
    played = to_pass()

    assert played.mismatches() == []
    assert (played.duration_seconds, played.requests, played.refused) == (2.0, 4, 0)


def test_mismatches_name_the_pass_the_platform_the_count_and_both_numbers() -> None:
    found = replace(REPORT, updated=2, unchanged=1, failures={})

    assert to_pass(found).mismatches() == [
        "second pass, github: updated is 2 instead of 1",
        "second pass, github: unchanged is 1 instead of 2",
        "second pass, github: failures is nothing instead of not_found 1",
    ]


def test_sweeps_are_calls_besides_the_expected_ones() -> None:
    seen = Seen(requests=7, quota_used=5, sweeps=3)

    assert to_pass(replace(REPORT, calls=7), seen).mismatches() == []


def test_stand_in_that_counted_otherwise_is_a_mismatch() -> None:
    assert to_pass(seen=Seen(requests=5, quota_used=1_003)).mismatches() == [
        "second pass, github: requests counted by the stand-in is 5 instead of 4",
        "second pass, github: quota counted by the stand-in is 1,003 instead of 2",
    ]


def test_calls_that_nobody_could_foretell_are_those_that_the_stand_in_counted() -> None:
    seen = Seen(requests=5)
    share = {"platform": "codeforces", "foretells_calls": False}

    assert to_pass(replace(REPORT, calls=5), seen, **share).mismatches() == []
    assert to_pass(REPORT, seen, **share).mismatches() == [
        "second pass, codeforces: calls is 4 instead of 5"
    ]


def test_refused_request_is_a_mismatch() -> None:
    assert to_pass(seen=replace(SEEN, refused=2)).mismatches() == [
        "second pass, github: requests refused by the stand-in is 2 instead of 0"
    ]


def test_platforms_that_do_not_add_up_to_their_runs_are_a_mismatch() -> None:
    played = to_pass()

    twice = replace(played, shares=played.shares * 2).mismatches()

    assert len(twice) == 1
    assert twice[0].startswith("second pass: its platforms add up to Report(created=0, updated=2")


def test_score_that_is_not_what_it_must_be_is_named() -> None:
    scores = Scores(
        totals={"u1": 3.0, "u2": 2.0},
        expected={"u1": 3.0, "u2": 2.5, "u3": 1.0, "u4": 1.0, "u5": 1.0},
        unrated=0,
        example={},
    )

    assert list(scores.mismatches()) == [
        "u2 scores 2.0 instead of 2.5",
        "u3 scores None instead of 1.0",
        "u4 scores None instead of 1.0",
        "and so on: 4 scores are wrong",
    ]
    assert list(replace(scores, expected=scores.totals).mismatches()) == []
