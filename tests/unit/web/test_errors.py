from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from syncd import errors
from syncd.web.errors import TooOften, body_of, headers_of, status_of

UNTIL = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.NotKnown("x"), 404),
        (errors.BadInput("x"), 422),
        (errors.AlreadyRunning("x", run_id=1), 409),
        (errors.ConsentWithdrawn("x"), 409),
        (errors.AccountNotFound("x"), 502),
        (errors.StoreUnavailable("x"), 503),
        (errors.CacheUnavailable("x"), 503),
        (errors.RateLimited("x", until=UNTIL), 503),
        (errors.PlatformDown("x"), 502),
        (errors.LeaseLost("x"), 409),
        (errors.SyncdError("x"), 500),
        (TooOften("x", seconds=1, rule=""), 429),
    ],
)
def test_every_reach_has_its_status(error: errors.SyncdError, status: int) -> None:
    assert status_of(error) == status


def test_body_always_has_error_and_hint() -> None:
    assert body_of(errors.SyncdError("it broke")) == {"error": "it broke", "hint": ""}


def test_running_job_names_its_run() -> None:
    assert body_of(errors.AlreadyRunning("x", run_id=4812))["run_id"] == 4812


def test_many_problems_are_told_in_short_and_in_full() -> None:
    body = body_of(errors.BadInput(*(f"line {n}: bad" for n in range(5))))

    assert body["error"] == "line 0: bad; line 1: bad; line 2: bad; and 2 more"
    assert len(body["problems"]) == 5


def test_problems_beyond_two_hundred_are_counted_only() -> None:
    body = body_of(errors.BadInput(*(f"line {n}: bad" for n in range(250))))

    assert (len(body["problems"]), body["problems"][-1]) == (201, "and 50 more")


def test_wait_is_rounded_up_to_whole_seconds() -> None:
    waiting = errors.SyncdError("x", retry_after=timedelta(seconds=1.2))

    assert headers_of(waiting) == {"Retry-After": "2"}
    assert headers_of(TooOften("x", seconds=0.1, rule="")) == {"Retry-After": "1"}
