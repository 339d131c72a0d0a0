from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from syncd.schedule.jitter import due_at, share

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_without_jitter_a_fire_is_due_at_its_time() -> None:
    assert due_at("sync", AT, None, timedelta()) == AT


def test_jobs_that_share_a_fire_time_are_spread_evenly() -> None:
    delays = [due_at(f"job {n}", AT, None, timedelta(hours=1)) - AT for n in range(1_000)]

    quarters = [sum(delay < timedelta(minutes=15 * n) for delay in delays) for n in (1, 2, 3)]

    assert [abs(found - 250 * n) < 60 for n, found in enumerate(quarters, 1)] == [True] * 3


@given(
    job=st.text(max_size=20),
    seconds=st.integers(0, 10**8),
    interval=st.timedeltas(timedelta(microseconds=1), timedelta(days=400)),
    jitter=st.timedeltas(timedelta(), timedelta(days=400)),
)
def test_a_fire_is_due_before_the_following_one_and_always_at_the_same_time(
    job: str, seconds: int, interval: timedelta, jitter: timedelta
) -> None:
    fire_time = AT + timedelta(seconds=seconds)

    due = due_at(job, fire_time, fire_time + interval, jitter)

    assert fire_time <= due < fire_time + interval
    assert due <= fire_time + jitter
    assert due == due_at(job, fire_time, fire_time + interval, jitter)


@given(words=st.lists(st.one_of(st.text(), st.integers())))
def test_a_share_is_below_one_and_always_the_same(words: list[object]) -> None:
    assert 0 <= share(*words) < 1
    assert share(*words) == share(*words)
