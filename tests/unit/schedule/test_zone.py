from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from syncd.errors import ConfigError
from syncd.schedule.zone import change_at, first_change, load_zone

BERLIN = ZoneInfo("Europe/Berlin")
SPRING = datetime(2026, 3, 29, 1, tzinfo=UTC)
AUTUMN = datetime(2026, 10, 25, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("Asia/Kolkatta", "Asia/Kolkata"),
        ("asia/kolkata", "Asia/Kolkata"),
        ("Kolkata", "Asia/Kolkata"),
        ("new york", "America/New_York"),
        ("Europe/Berlim", "Europe/Berlin"),
        ("utc ", "UTC"),
    ],
)
def test_a_zone_nearly_named_is_suggested(written: str, meant: str) -> None:
    with pytest.raises(ConfigError, match=f'is not known, did you mean "{meant}"'):
        load_zone(written)


@pytest.mark.parametrize("written", ["", "IST", "+05:30", "../../etc/passwd", "Asia", "x" * 500])
def test_what_is_no_zone_is_refused_with_an_example(written: str) -> None:
    with pytest.raises(ConfigError, match='write a name such as "Asia/Kolkata"'):
        load_zone(written)


def test_changes_of_a_year_are_found_in_order_with_their_wall_times() -> None:
    start, end = datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)

    spring = first_change(BERLIN, start, end)
    assert spring is not None
    autumn = first_change(BERLIN, spring.at, end)
    assert autumn is not None

    assert (spring.at, spring.gap) == (SPRING, timedelta(hours=1))
    assert (spring.wall_before, spring.wall_after) == (
        datetime.fromisoformat("2026-03-29T02:00"),
        datetime.fromisoformat("2026-03-29T03:00"),
    )
    assert (autumn.at, autumn.gap) == (AUTUMN, timedelta(hours=-1))
    assert first_change(BERLIN, autumn.at, end) is None


def test_a_change_is_found_up_to_its_own_instant_and_not_from_it() -> None:
    second = timedelta(seconds=1)

    assert first_change(BERLIN, SPRING - second, SPRING) is not None
    assert first_change(BERLIN, SPRING - 2 * second, SPRING - second) is None
    assert first_change(BERLIN, SPRING, SPRING + second) is None


@pytest.mark.parametrize(
    ("wall", "at"),
    [
        ("2026-03-29T01:59:59", None),
        ("2026-03-29T02:00:00", SPRING),
        ("2026-03-29T02:59:59.5", SPRING),
        ("2026-03-29T03:00:00", None),
        ("2026-10-25T01:59:59", None),
        ("2026-10-25T02:00:00", AUTUMN),
        ("2026-10-25T02:59:59.5", AUTUMN),
        ("2026-10-25T03:00:00", None),
    ],
)
def test_a_wall_time_belongs_to_the_change_that_skips_or_repeats_it(
    wall: str, at: datetime | None
) -> None:
    change = change_at(BERLIN, datetime.fromisoformat(wall))

    assert (change.at if change else None) == at


def test_a_zone_without_daylight_saving_never_changes() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)

    assert first_change(ZoneInfo("Asia/Kolkata"), start, start + timedelta(days=3650)) is None
