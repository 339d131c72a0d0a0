from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fakes.running import to_job
from hypothesis import given
from hypothesis import strategies as st

from syncd.model.pause import Pause, PauseScope
from syncd.model.run import Cause, SkipReason
from syncd.model.schedule import Misfire, Overlap
from syncd.schedule.cron import parse_cron
from syncd.schedule.jitter import due_at
from syncd.schedule.roster import Schedule
from syncd.schedule.timetable import Every, Timetable, fires_between
from syncd.schedule.turns import in_turns
from syncd.schedule.verdicts import MOST_VERDICTS, Question, Verdict, Way, decide

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
HOURLY = Every(interval=HOUR, anchor=NOON)


def ask(
    *, since: datetime = NOON, now: datetime, timetable: Timetable = HOURLY, **known: Any
) -> list[Verdict]:
    """Ask for the verdicts of an hourly job; policies and what is known of it as keywords."""
    names = ("pauses", "ahead", "most")
    asked = {name: known.pop(name) for name in names if name in known}
    schedule = Schedule(job=to_job(), **known)
    question = Question(schedule=schedule, timetable=timetable, since=since, now=now, **asked)
    return list(asyncio.run(in_turns(decide(question))))


def said(verdicts: list[Verdict]) -> dict[str, str]:
    """Say what became of each fire time, by its hour."""
    return {f"{each.fire_time:%H}": str(each.skip_reason or "runs") for each in verdicts}


def paused(start: datetime, until: datetime | None) -> list[Pause]:
    return [Pause(scope=PauseScope.ALL, paused_at=start, until=until)]


def test_before_a_fire_time_nothing_is_decided() -> None:
    assert ask(now=NOON + HOUR - MINUTE) == []


def test_a_fire_on_time_runs() -> None:
    at = NOON + HOUR

    assert ask(now=at) == [Verdict(fire_time=at, due_at=at, cause=Cause.SCHEDULE)]


def test_a_fire_is_a_catch_up_when_it_is_more_than_a_minute_late() -> None:
    late = [ask(now=NOON + HOUR + by)[0].cause for by in (MINUTE, MINUTE * 1.01)]

    assert late == [Cause.SCHEDULE, Cause.CATCH_UP]


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ({}, {"13": "coalesced", "14": "coalesced", "15": "runs"}),
        ({"misfire": Misfire.ALL}, {"13": "runs", "14": "runs", "15": "runs"}),
        ({"misfire": Misfire.SKIP}, {"13": "too_late", "14": "too_late", "15": "runs"}),
        (
            {"misfire": Misfire.SKIP, "misfire_grace": 20 * MINUTE},
            {"13": "too_late", "14": "too_late", "15": "too_late"},
        ),
        (
            {"misfire": Misfire.SKIP, "misfire_grace": 2 * HOUR},
            {"13": "too_late", "14": "coalesced", "15": "runs"},
        ),
        ({"misfire_grace": MINUTE}, {"13": "coalesced", "14": "coalesced", "15": "runs"}),
    ],
)
def test_what_passed_is_decided_by_the_misfire_policy(
    policy: dict[str, Any], expected: dict[str, str]
) -> None:
    assert said(ask(now=NOON + 3 * HOUR + 30 * MINUTE, **policy)) == expected


def test_of_all_that_is_to_run_a_hundred_do() -> None:
    verdicts = ask(now=NOON + 250 * HOUR, misfire=Misfire.ALL)

    counts = Counter(each.skip_reason for each in verdicts)
    assert counts == {SkipReason.COALESCED: 150, None: 100}
    assert {each.skip_reason for each in verdicts[-100:]} == {None}


def test_a_pause_that_stands_covers_all_that_is_due() -> None:
    pauses = paused(NOON + 10 * HOUR, None)

    assert said(ask(now=NOON + 2 * HOUR, pauses=pauses)) == {"13": "paused", "14": "paused"}


def test_a_pause_that_ended_covers_what_fell_into_it_and_no_more() -> None:
    pauses = paused(NOON + 2 * HOUR, NOON + 4 * HOUR)

    assert said(ask(now=NOON + 5 * HOUR, pauses=pauses, misfire=Misfire.ALL)) == {
        "13": "runs",
        "14": "paused",
        "15": "paused",
        "16": "runs",
        "17": "runs",
    }


def test_the_newest_that_no_pause_covers_runs() -> None:
    pauses = paused(NOON + 2 * HOUR, NOON + 3 * HOUR + MINUTE)

    verdicts = ask(now=NOON + 3 * HOUR + 2 * MINUTE, pauses=pauses)

    assert said(verdicts) == {"13": "runs", "14": "paused", "15": "paused"}


@pytest.mark.parametrize(
    ("overlap", "ahead", "expected"),
    [
        (Overlap.SKIP, 1, "overlap"),
        (Overlap.QUEUE, 1, Way.IN_LINE),
        (Overlap.QUEUE, 2, "overlap"),
        (Overlap.REPLACE, 1, Way.REPLACING),
        (Overlap.REPLACE, 2, "overlap"),
        (Overlap.ALLOW, 1, Way.BESIDE),
        (Overlap.ALLOW, 5, Way.BESIDE),
    ],
)
def test_a_fire_beside_others_is_decided_by_the_overlap_policy(
    overlap: Overlap, ahead: int, expected: str
) -> None:
    (verdict,) = ask(now=NOON + HOUR, overlap=overlap, ahead=ahead)

    assert (verdict.skip_reason or verdict.way) == expected


def test_several_at_once_wait_for_one_another_whatever_is_active() -> None:
    verdicts = ask(now=NOON + 3 * HOUR, misfire=Misfire.ALL, ahead=1)

    assert [(each.skip_reason, each.way) for each in verdicts] == [(None, Way.IN_LINE)] * 3


def test_jitter_delays_a_fire_and_what_is_not_due_yet_is_not_decided() -> None:
    fire_time = NOON + HOUR
    due = due_at("sync", fire_time, fire_time + HOUR, 30 * MINUTE)

    early = ask(now=due - timedelta(microseconds=1), jitter=30 * MINUTE)
    on_time = ask(now=due, jitter=30 * MINUTE)

    assert fire_time < due < fire_time + 30 * MINUTE
    assert early == []
    assert on_time == [Verdict(fire_time=fire_time, due_at=due, cause=Cause.SCHEDULE)]


def test_lateness_counts_from_when_a_fire_was_due_with_its_jitter() -> None:
    due = due_at("sync", NOON + HOUR, NOON + 2 * HOUR, 30 * MINUTE)
    known: dict[str, Any] = {
        "jitter": 30 * MINUTE,
        "misfire": Misfire.SKIP,
        "misfire_grace": 5 * MINUTE,
    }

    in_time = ask(now=due + 5 * MINUTE, **known)
    too_late = ask(now=due + 5.1 * MINUTE, **known)

    assert [said(in_time), said(too_late)] == [{"13": "runs"}, {"13": "too_late"}]


class Counting:
    """A timetable that counts how often it is asked."""

    def __init__(self, timetable: Timetable) -> None:
        self.timetable = timetable
        self.questions = 0

    def next_after(self, instant: datetime) -> datetime | None:
        self.questions += 1
        return self.timetable.next_after(instant)

    def explain(self, fire_time: datetime, /) -> str:
        return ""

    def describe(self) -> str:
        return ""


@pytest.mark.parametrize(
    "expression", ["* * * * * *", "* * 0 * * *", "*/7 8-10 * * 1", "0 0 * * *", "* * 1-3 1 * *"]
)
@pytest.mark.parametrize("misfire", Misfire)
def test_ten_years_cost_a_bounded_amount_of_work(expression: str, misfire: Misfire) -> None:
    timetable = Counting(parse_cron(expression, "Europe/Berlin", "sync"))
    pauses = paused(NOON + timedelta(days=800), NOON + timedelta(days=1900))

    verdicts = ask(
        now=NOON + timedelta(days=3652),
        timetable=timetable,
        misfire=misfire,
        misfire_grace=timedelta(days=2500),
        pauses=pauses,
    )

    assert len(verdicts) <= MOST_VERDICTS + 3
    assert timetable.questions < 12 * MOST_VERDICTS
    assert verdicts[-1].skip_reason is None
    assert [each.fires_since is not None for each in verdicts[4:]] == [False] * (len(verdicts) - 4)


def in_words(verdict: Verdict) -> str:
    return str(verdict.skip_reason or "runs")


@given(
    expression=st.sampled_from(["*/7 * * * *", "3 * * * *", "0 2 * * *", "*/5 8-10 * * 1"]),
    minutes=st.integers(0, 20_000),
    most=st.integers(5, 60),
    misfire=st.sampled_from(Misfire),
    grace=st.sampled_from([None, 10 * MINUTE, 9 * HOUR, timedelta(days=4)]),
    jitter=st.sampled_from([timedelta(), 2 * MINUTE, 3 * HOUR]),
    pause=st.tuples(st.integers(0, 20_000), st.integers(0, 20_000)),
)
def test_every_fire_time_due_has_exactly_one_verdict_however_few_are_given_one_by_one(
    expression: str,
    minutes: int,
    most: int,
    misfire: Misfire,
    grace: timedelta | None,
    jitter: timedelta,
    pause: tuple[int, int],
) -> None:
    timetable = parse_cron(expression, "Europe/Berlin", "sync")
    now = NOON + minutes * MINUTE
    begin, length = pause
    known: dict[str, Any] = {
        "now": now,
        "timetable": timetable,
        "misfire": misfire,
        "misfire_grace": grace,
        "jitter": jitter,
        "pauses": paused(NOON + begin * MINUTE, NOON + (begin + length) * MINUTE),
    }
    one_by_one = {each.fire_time: each for each in ask(most=10**6, **known)}
    bounded = ask(most=most, **known)

    due = [
        at
        for at in fires_between(timetable, NOON, now, 10**6)
        if due_at("sync", at, timetable.next_after(at), jitter) <= now
    ]
    told = Counter(
        at
        for each in bounded
        for at in due
        if (each.fires_since or each.fire_time) <= at <= each.fire_time
        and (each.fires_since is None or in_words(each) == as_old(one_by_one[at]))
    )
    assert list(one_by_one) == due
    assert told == Counter(due)
    assert len(bounded) <= most + 3
    assert sum(each.skip_reason is None for each in bounded) <= 100


def as_old(verdict: Verdict) -> str:
    """Say what a fire time is when it is too old to run."""
    return in_words(verdict) if verdict.skip_reason else "coalesced"
