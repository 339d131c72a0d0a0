from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from fakes.clock import FakeClock

from syncd.errors import BadInput, NotKnown
from syncd.sandbox.calendar import ANNOUNCED, SERIES, Calendar

DAY = timedelta(days=1)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(params=list(SERIES))
def calendar(request: pytest.FixtureRequest, clock: FakeClock) -> Calendar:
    return Calendar(7, SERIES[request.param], clock)


def row(name: str, start: datetime | None, seconds: int = 7_200) -> dict[str, Any]:
    starts_at = None if start is None else start.isoformat()
    return {"id": name, "name": name, "starts_at": starts_at, "seconds": seconds}


def test_every_contest_is_to_come_or_runs_or_is_over(calendar: Calendar, clock: FakeClock) -> None:
    parts = [*calendar.to_come(), *calendar.running(), *calendar.over()]

    assert sorted(event.id for event in parts) == sorted(event.id for event in calendar.events())
    assert calendar.to_come()
    assert calendar.over()
    assert all(
        event.starts_at is not None and event.starts_at <= clock.now() + ANNOUNCED
        for event in parts
    )


async def test_what_was_announced_stays_as_it_was_while_more_comes(
    calendar: Calendar, clock: FakeClock
) -> None:
    before = {event.id: event for event in calendar.events()}
    await clock.run(clock.sleep(15 * 86_400))
    after = {event.id: event for event in calendar.events()}

    assert before.items() < after.items()


def test_another_seed_is_another_calendar(clock: FakeClock) -> None:
    starts = {Calendar(seed, SERIES["atcoder"], clock).to_come()[0].starts_at for seed in range(9)}

    assert len(starts) == 3


def test_contest_is_changed_and_stays_so(calendar: Calendar, clock: FakeClock) -> None:
    first, at = calendar.contests_to_come()[0], clock.now() + DAY

    calendar.move_contest(first, at.isoformat())
    calendar.rename_contest(first, "other")
    calendar.lengthen_contest(first, 60)

    [event] = [event for event in calendar.events() if event.id == first]
    assert (event.starts_at, event.name, event.seconds) == (at, "other", 60)


def test_contest_is_added_and_may_have_no_start(calendar: Calendar) -> None:
    calendar.add_contest("n1", "New", None, 60)

    assert calendar.events()[-1].id == "n1"
    assert "n1" not in calendar.contests_to_come()


def test_contest_that_is_cancelled_comes_back_as_it_was(calendar: Calendar) -> None:
    before = calendar.events()
    first = calendar.contests_to_come()[0]

    calendar.cancel_contest(first)
    assert first not in {event.id for event in calendar.events()}
    calendar.restore_contest(first)

    assert calendar.events() == before


def test_recorded_days_are_shown_one_after_the_other(calendar: Calendar, clock: FakeClock) -> None:
    at = clock.now() + DAY
    calendar.record([[row("a", at)], [row("a", at + DAY), row("b", at)], []])

    shown = [[(event.id, event.starts_at) for event in calendar.events()]]
    for day in (1, 2, 0):
        calendar.advance(day)
        shown.append([(event.id, event.starts_at) for event in calendar.events()])

    assert shown == [[("a", at)], [("b", at), ("a", at + DAY)], [], [("a", at)]]


@pytest.mark.parametrize("wrong", [[[{"id": "a"}]], [[7]], [[{**row("a", None), "x": 1}]]])
def test_what_is_no_recorded_day_is_refused(calendar: Calendar, wrong: Any) -> None:
    with pytest.raises(BadInput):
        calendar.record(wrong)


def test_what_is_not_known_is_refused(calendar: Calendar) -> None:
    with pytest.raises(NotKnown, match="nosuch"):
        calendar.cancel_contest("nosuch")
    with pytest.raises(BadInput, match="day 3"):
        calendar.advance(3)
    with pytest.raises(BadInput, match="zone"):
        calendar.add_contest("x", "x", "2026-03-01T00:00:00", 60)
