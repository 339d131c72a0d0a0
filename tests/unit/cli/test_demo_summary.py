"""The summary of the demo: readable on 80 columns, and nothing in it that is not so."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from syncd.cli.demo_summary import answer, beginning, summary
from syncd.config.duration import parse_rate
from syncd.config.models import Config
from syncd.daemon.comparison import Pass, Seen, Share
from syncd.daemon.demo import DemoReport
from syncd.daemon.findings import Listened, Scores
from syncd.daemon.reminding import Reminded, Turned
from syncd.daemon.stage import DemoPlan, Stage
from syncd.model.contest import Occasion
from syncd.model.run import Cause, Outcome, Report, Run, RunId

BEGAN = datetime(2026, 11, 22, tzinfo=UTC)
SHARES = {
    "github": (Report(updated=20_000, unchanged=80_000, calls=21_000, saved=1), 1_000),
    "codeforces": (Report(unchanged=9_999, failed=1, calls=143, failures={"not_found": 1}), 0),
    "geeksforgeeks": (
        Report(created=9_000, failed=1_000, calls=10_000, failures={"not_found": 1_000}),
        0,
    ),
}
LINES = [
    "613.2 = skill 282.1 + volume 331.1",
    "volume 331.1 = 400 x ln(1 + 958) / ln(1 + 4000), 958 = 1 x 220 easy + 2 x 181 medium",
]
EXAMPLE = {
    "key": "user-27",
    "score": {"total": 613.2, "arithmetic": "613.2 = 613.2 leetcode + 0.0 geeksforgeeks"},
    "accounts": [
        {"platform": "github", "score": None},
        {"platform": "leetcode", "score": {"score": 613.2, "arithmetic": LINES}},
    ],
}

REMINDED = Reminded(
    users=20,
    coming={"atcoder": 4, "codeforces": 16},
    turns=[
        Turned(
            platform="codeforces",
            contest="Codeforces Round 999",
            occasion=Occasion.MOVED,
            starts_at=BEGAN + timedelta(hours=20),
            previous_starts_at=BEGAN + timedelta(hours=44),
        ),
        Turned(
            platform="codeforces",
            contest="Codeforces Global Round 99",
            occasion=Occasion.CANCELLED,
            starts_at=BEGAN + timedelta(hours=70),
        ),
    ],
    sent={"reminder": 1_134, "moved": 27, "cancelled": 27},
    received={"email": 1_142, "webhook": 46},
    repeated=0,
    renewed=27,
    requests=12,
    example=f"To: user-1@example.org\n\n{'It starts in 20 hours. ' * 5}",
)


@pytest.fixture
def stage() -> Stage:
    return Stage(
        plan=DemoPlan(users=100_000, seed=1, stays=False),
        config=cast("Config", None),
        log_dir=Path("/tmp/logs"),  # noqa: S108 - a name, nothing is written there
        coders=10_000,
        limits={
            "github": (parse_rate("1000/s"), parse_rate("500000/h")),
            **{name: (parse_rate("6000/min"),) for name in [*SHARES][1:]},
        },
    )


@pytest.fixture
def report(stage: Stage) -> DemoReport:
    run = Run(
        id=RunId(1),
        job="profiles-main",
        kind="profiles",
        cause=Cause.MANUAL,
        outcome=Outcome.PARTIAL,
        claimed_at=BEGAN,
        started_at=BEGAN,
        finished_at=BEGAN + timedelta(seconds=2),
        report=sum((each for each, _ in SHARES.values()), Report()),
    )
    shares = [
        Share(platform=name, expected=each, report=each, seen=Seen(requests=each.calls, sweeps=n))
        for name, (each, n) in SHARES.items()
    ]
    return DemoReport(
        stage=stage,
        passes=(Pass(name="second pass", runs=(run,), shares=tuple(shares)),),
        scores=Scores(totals={"user-27": 613.2}, expected={}, unrated=0, example=EXAMPLE),
        listened=Listened(
            users=20, plays=335, expected=335, gaps=1, lost={"user-20": "the consent ended"}
        ),
        reminded=REMINDED,
        most_in_a_minute={"github": 21_000},
        mismatches=(),
    )


def test_nothing_is_wider_than_a_terminal(stage: Stage, report: DemoReport) -> None:
    lines = [*beginning(stage), *summary(report)]

    assert [line for line in lines if len(line) > 79] == []


def test_limits_are_told_with_their_factor(stage: Stage) -> None:
    told = " ".join(line.strip() for line in beginning(stage))

    assert "limits scaled x100: github 1,000/s and 500,000/h, codeforces 6,000/min" in told


def test_table_has_a_row_for_each_platform_and_one_for_all(report: DemoReport) -> None:
    lines = list(summary(report))

    assert [line.split() for line in lines[1:5]] == [
        ["github", "100,000", "0", "20,000", "80,000", "0", "21,000", "0"],
        ["codeforces", "10,000", "0", "0", "9,999", "1", "143", "0"],
        ["geeksforgeeks", "10,000", "9,000", "0", "0", "1,000", "10,000", "0"],
        ["all", "120,000", "9,000", "20,000", "89,999", "1,001", "31,143", "0"],
    ]
    assert lines[5] == "not_found: geeksforgeeks 1,000, codeforces 1"


def test_a_score_can_be_done_again_by_hand(report: DemoReport) -> None:
    told = " ".join(line.strip() for line in summary(report))

    assert "user-27: 613.2 = 613.2 leetcode + 0.0 geeksforgeeks" in told
    assert f"leetcode       {LINES[0]} {LINES[1]}" in told


def test_plays_gaps_and_who_must_connect_again_are_told(report: DemoReport) -> None:
    whole = " ".join(summary(report))

    assert "335 plays of 20 users, each once; 1 gap" in whole
    assert "user-20 must connect again: the consent ended" in whole


def test_contests_that_turned_and_their_messages_are_told(report: DemoReport) -> None:
    lines = list(summary(report))

    whole = " ".join(line.strip() for line in lines)
    assert "20 contests to come on 2 platforms" in lines
    assert "  moved: Codeforces Round 999, from Mon 23 Nov 20:00 to Sun 22 Nov 20:00 UTC" in lines
    assert "Codeforces Global Round 99, was to start Tue 24 Nov 22:00 UTC" in whole
    assert "27 reminders of its new start" in whole
    assert "1,188 sent to 20 users (reminder 1,134, moved 27, cancelled 27), 1,188" in whole
    assert "received by the stand-ins (email 1,142, webhook 46), none twice" in whole
    assert lines[lines.index("  | To: user-1@example.org") + 1] == "  |"
    assert "The stand-ins counted 31,155 requests" in whole


def test_messages_that_came_twice_are_told_as_such(report: DemoReport) -> None:
    lines = summary(replace(report, reminded=replace(REMINDED, repeated=3)))

    assert "webhook 46), 3 twice" in " ".join(line.strip() for line in lines)


def test_numbers_that_do_not_add_up_are_not_called_right(report: DemoReport) -> None:
    wrong = replace(report, mismatches=("second pass, github: updated is 2 instead of 1",))

    assert "Both sides' numbers add up." in list(summary(report))
    assert "Both sides' numbers add up." not in list(summary(wrong))


def test_json_carries_the_same(report: DemoReport) -> None:
    told: dict[str, Any] = answer(report)

    share = told["passes"][0]["platforms"]["github"]
    assert (share["updated"], share["stand_in"]["sweeps"]) == (20_000, 1_000)
    assert told["passes"][0]["seen"] == 120_000
    assert told["scores"]["totals"] == {"user-27": 613.2}
    assert told["contests"]["turns"][0]["contest"] == "Codeforces Round 999"
    assert told["contests"]["received"] == {"email": 1_142, "webhook": 46}
    assert told["limits"]["github"] == ["1000/s", "500000/h"]
