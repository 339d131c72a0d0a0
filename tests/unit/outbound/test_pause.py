from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from fakes.clock import FakeClock

from syncd.outbound.pause import LONGEST_PAUSE_SECONDS, Pauses, parse_retry_after
from syncd.telemetry.bus import Bus
from syncd.telemetry.events import Event, PlatformRecovered, PlatformThrottled

SERVER_TIME = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


@pytest.fixture
def pauses(clock: FakeClock, bus: Bus) -> Pauses:
    return Pauses("github", "main", clock, bus)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("nan", None),
        ("inf", None),
        ("1e3", None),
        ("0", 0.0),
        ("60", 60.0),
        (" 60 ", 60.0),
        ("1.5", 1.5),
        ("315360000", LONGEST_PAUSE_SECONDS),
        ("9" * 400, LONGEST_PAUSE_SECONDS),
        ("Sun, 01 Mar 2026 12:02:00 GMT", 120.0),
        ("Sunday, 01-Mar-26 12:02:00 GMT", 120.0),
        ("Sun, 01 Mar 2026 12:02:00 -0000", 120.0),
        ("Sun, 01 Mar 2026 11:00:00 GMT", 0.0),
        ("Sun, 01 Mar 2036 12:00:00 GMT", LONGEST_PAUSE_SECONDS),
        ("Sun, 99 Mar 2026 12:00:00 GMT", None),
        ("Sun, 01 Mar 99999999 12:00:00 GMT", None),
    ],
)
def test_every_form_of_retry_after_has_one_meaning(
    value: str | None, seconds: float | None
) -> None:
    assert parse_retry_after(value, SERVER_TIME) == seconds


def test_the_longer_of_two_pauses_wins(clock: FakeClock, pauses: Pauses) -> None:
    pauses.pause(300, "secondary limit")
    pauses.pause(20, "HTTP 429")

    assert pauses.active is not None
    assert pauses.active.until == clock.now() + timedelta(seconds=300)
    assert pauses.active.cause == "secondary limit"


async def test_a_pause_ends_by_itself(clock: FakeClock, pauses: Pauses) -> None:
    pauses.pause(30, "HTTP 429")

    await clock.advance(30)

    assert pauses.active is None


def test_no_pause_is_longer_than_a_week(pauses: Pauses) -> None:
    pauses.pause(1e9, "HTTP 429")

    assert pauses.left_seconds() == LONGEST_PAUSE_SECONDS


async def test_a_jump_of_the_wall_clock_neither_ends_nor_prolongs_a_pause(
    clock: FakeClock, pauses: Pauses
) -> None:
    pauses.pause(30, "HTTP 429")

    clock.jump_wall(timedelta(hours=5))

    assert pauses.left_seconds() == 30


async def test_pauses_without_a_length_double_until_a_good_answer(
    clock: FakeClock, pauses: Pauses
) -> None:
    lengths = []
    for _ in range(8):
        pauses.pause(None, "secondary limit")
        lengths.append(pauses.left_seconds())
        await clock.advance(pauses.left_seconds())
    pauses.note_good_answer()
    pauses.pause(None, "secondary limit")

    assert lengths == [60, 120, 240, 480, 960, 1920, 3600, 3600]
    assert pauses.left_seconds() == 60


def test_a_storm_of_refusals_counts_as_one_pause(pauses: Pauses) -> None:
    for _ in range(50):
        pauses.pause(None, "HTTP 429")

    assert pauses.left_seconds() == 60


async def test_a_condition_is_told_once_when_it_begins_and_once_when_it_ends(
    clock: FakeClock, pauses: Pauses, told: list[Event]
) -> None:
    until = clock.now() + timedelta(seconds=30)
    for _ in range(50):
        pauses.pause(30, "HTTP 429")
    pauses.note_good_answer()  # was on its way when the pause began
    await clock.advance(30)
    pauses.pause(30, "HTTP 429")
    await clock.advance(30)
    for _ in range(50):
        pauses.note_good_answer()

    assert told == [
        PlatformThrottled(platform="github", credential="main", until=until, cause="HTTP 429"),
        PlatformRecovered(platform="github", credential="main"),
    ]


@pytest.mark.parametrize(("seconds", "is_long"), [(3_600, False), (7_200, True)])
def test_a_pause_of_more_than_an_hour_is_told_as_one_a_person_should_know(
    pauses: Pauses, told: list[Event], seconds: float, is_long: bool
) -> None:
    pauses.pause(seconds, "HTTP 429")

    assert isinstance(told[0], PlatformThrottled)
    assert told[0].is_long is is_long


async def test_a_pause_that_grows_beyond_an_hour_is_told_again_once(
    clock: FakeClock, pauses: Pauses, told: list[Event]
) -> None:
    pauses.pause(60, "HTTP 429")
    for _ in range(3):
        pauses.pause(86_400, "HTTP 429")
    await clock.advance(86_400)
    pauses.note_good_answer()
    pauses.pause(86_400, "HTTP 429")

    assert [getattr(event, "is_long", None) for event in told] == [False, True, None, True]


def test_a_person_ends_a_pause_and_with_it_the_condition(pauses: Pauses, told: list[Event]) -> None:
    pauses.pause(86_400, "HTTP 429")

    pauses.lift()
    pauses.lift()
    pauses.pause(None, "HTTP 429")

    assert pauses.left_seconds() == 60
    assert [type(event) for event in told] == [
        PlatformThrottled,
        PlatformRecovered,
        PlatformThrottled,
    ]
