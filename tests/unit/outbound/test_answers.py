from __future__ import annotations

from datetime import UTC, datetime

import pytest
from multidict import CIMultiDict

from syncd.outbound.answers import Kind, Response, judge_by_status

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


def response(status: int, body: bytes = b"{}", **headers: str) -> Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(status=status, headers=CIMultiDict(named), body=body, received_at=NOW)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (200, Kind.OK),
        (304, Kind.OK),
        (400, Kind.OK),
        (401, Kind.REJECTED),
        (403, Kind.BLOCKED),
        (404, Kind.OK),
        (408, Kind.TRANSIENT),
        (410, Kind.OK),
        (429, Kind.PAUSE),
        (500, Kind.TRANSIENT),
        (503, Kind.TRANSIENT),
    ],
)
def test_a_status_alone_has_the_meaning_of_plain_http(status: int, kind: Kind) -> None:
    assert judge_by_status(response(status)).kind is kind


def test_a_503_that_says_when_to_come_back_asks_for_a_pause() -> None:
    verdict = judge_by_status(response(503, Retry_After="20"))

    assert (verdict.kind, verdict.pause_seconds) == (Kind.PAUSE, 20)


def test_a_429_that_does_not_say_how_long_leaves_it_to_the_pauses() -> None:
    assert judge_by_status(response(429)).pause_seconds is None


def test_times_of_the_server_are_relative_to_its_own_clock() -> None:
    an_hour_behind = response(
        429,
        Date="Sun, 01 Mar 2026 11:00:00 GMT",
        retry_after="Sun, 01 Mar 2026 11:02:00 GMT",
    )

    assert an_hour_behind.retry_after_seconds == 120
    assert an_hour_behind.seconds_until(NOW.timestamp()) == 3_600


def test_without_a_date_our_clock_is_taken_for_the_servers() -> None:
    assert response(200, Date="yesterday").server_time() == NOW
