"""The made-up users of the demo: what happens to them, and what must be reported."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from syncd.daemon.rehearsal import Pass, Rehearsal
from syncd.model.run import Cause, Outcome, Report, Run, RunId
from syncd.sandbox.person import AccountType

BEGAN = datetime(2026, 11, 22, tzinfo=UTC)
REPORT = Report(updated=1, unchanged=2, failed=1, calls=4, saved=2, failures={"not_found": 1})


def to_pass(report: Report, *, requests: int = 4, quota_used: int = 2, sweeps: int = 0) -> Pass:
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
    return Pass(
        name="second pass",
        expected=REPORT,
        run=run,
        requests=requests,
        quota_used=quota_used,
        sweeps=sweeps,
    )


@pytest.mark.parametrize("users", [1, 4, 5, 20, 1_000])
def test_every_user_is_expected_once_in_each_pass(users: int) -> None:
    rehearsal = Rehearsal(users, seed=1)
    kinds = Counter(map(rehearsal.population.account_type, range(users)))
    organizations, bots = kinds[AccountType.ORGANIZATION], kinds[AccountType.BOT]

    first = rehearsal.happen_before_first()
    second = rehearsal.happen_before_second()

    assert (first.seen, first.calls) == (users, users)
    assert second.seen == users - organizations
    assert (second.calls, second.saved) == (second.updated + second.failed + bots, bots)


def test_thousand_users_hold_every_kind_of_fate() -> None:
    rehearsal = Rehearsal(1_000, seed=1)

    first, second = rehearsal.happen_before_first(), rehearsal.happen_before_second()

    assert set(first.failures) == {"not_found", "unsuitable"}
    assert second.failures == {"not_found": first.failures["not_found"] + 5}
    assert second.updated == 15


def test_import_files_name_everybody_as_they_were_before_anything_happened() -> None:
    rehearsal = Rehearsal(25, seed=3)
    logins = list(rehearsal.population.logins())

    files = list(rehearsal.import_files(10))

    rows = [row for file in files for row in file.splitlines()[1:]]
    assert [len(file.splitlines()) for file in files] == [11, 11, 6]
    assert {file.splitlines()[0] for file in files} == {"key,github"}
    assert [row.partition(",")[2] for row in rows] == logins


def test_same_seed_has_the_same_fate() -> None:
    one, other = Rehearsal(300, seed=9), Rehearsal(300, seed=9)

    fates = [(play.happen_before_first(), play.happen_before_second()) for play in (one, other)]

    assert fates[0] == fates[1]
    assert list(one.population.logins()) == list(other.population.logins())


def test_pass_that_reports_what_happened_has_no_mismatch() -> None:
    played = to_pass(REPORT)

    assert played.mismatches() == []
    assert (played.duration_seconds, played.rate) == (2.0, 2.0)


def test_mismatches_name_the_pass_the_count_and_both_numbers() -> None:
    found = replace(REPORT, updated=2, unchanged=1, failures={})

    mismatches = to_pass(found).mismatches()

    assert mismatches == [
        "second pass: updated is 2 instead of 1",
        "second pass: unchanged is 1 instead of 2",
        "second pass: failures is nothing instead of not_found 1",
    ]


def test_sweeps_are_calls_besides_the_expected_ones() -> None:
    played = to_pass(replace(REPORT, calls=7), requests=7, quota_used=5, sweeps=3)

    assert played.mismatches() == []


def test_stand_in_that_counted_otherwise_is_a_mismatch() -> None:
    mismatches = to_pass(REPORT, requests=5, quota_used=1_003).mismatches()

    assert mismatches == [
        "second pass: requests counted by the stand-in is 5 instead of 4",
        "second pass: quota counted by the stand-in is 1,003 instead of 2",
    ]
