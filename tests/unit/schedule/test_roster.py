from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from fakes.clock import START, FakeClock
from fakes.running import JOB, to_job

from syncd.errors import NotKnown
from syncd.schedule.cron import parse_cron
from syncd.schedule.roster import Roster, Schedule


def roster(*, is_firing: bool = True, **changes: Any) -> Roster:
    timed = {"cron": parse_cron("0 * * * *", "UTC", JOB)}
    schedule = Schedule(job=to_job(**changes.pop("job", {})), **(timed | changes))
    made = Roster([schedule], FakeClock(), is_firing=is_firing)
    made.settle(JOB, START)
    return made


def test_a_job_fires_by_its_schedule() -> None:
    assert roster().next_fire(JOB) == START + timedelta(hours=1)


def test_an_interval_counts_from_its_anchor() -> None:
    made = roster(cron=None, every=timedelta(minutes=25))

    assert made.next_fire(JOB) == START + timedelta(minutes=25)


def test_the_interval_lies_between_the_next_two_fires() -> None:
    assert roster().interval(JOB) == timedelta(hours=1)
    assert roster(cron=None).interval(JOB) == timedelta()


@pytest.mark.parametrize(
    "made",
    [roster(is_firing=False), roster(job={"enabled": False}), roster(cron=None)],
    ids=["nothing fires", "the job is off", "only when triggered"],
)
def test_a_job_that_does_not_fire_has_no_next_fire_time(made: Roster) -> None:
    assert made.next_fire(JOB) is None


def test_before_the_database_was_reached_no_job_fires() -> None:
    schedule = Schedule(job=to_job(), every=timedelta(hours=1))

    assert Roster([schedule], FakeClock(), is_firing=True).next_fire(JOB) is None


def test_an_item_driven_run_ends_just_before_its_next_fire() -> None:
    made = roster()

    assert made.deadline(made.job(JOB)) == 59 * 60 + 55


def test_nothing_waits_behind_a_run_that_is_only_triggered() -> None:
    made = roster(cron=None)

    assert made.deadline(made.job(JOB)) is None


def test_a_timeout_of_the_job_wins() -> None:
    made = roster(job={"timeout": timedelta(minutes=2)})

    assert made.deadline(made.job(JOB)) == 120


def test_a_run_that_starts_just_before_a_fire_still_gets_a_moment() -> None:
    made = roster(cron=parse_cron("* * * * * *", "UTC", JOB))

    assert made.deadline(made.job(JOB)) == 5


def test_a_job_that_does_not_exist_is_said_with_those_that_do() -> None:
    with pytest.raises(NotKnown, match="there is no job 'sink'") as refusal:
        roster().job("sink")

    assert "sync" in (refusal.value.hint or "")
