from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncd.config.duration import Rate, format_duration, parse_duration, parse_rate

MILLISECONDS = st.integers(min_value=0, max_value=10**11)


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("30s", timedelta(seconds=30)),
        ("5m", timedelta(minutes=5)),
        ("12h", timedelta(hours=12)),
        ("1h30m", timedelta(minutes=90)),
        ("7d", timedelta(days=7)),
        ("250ms", timedelta(milliseconds=250)),
        ("1m250ms", timedelta(minutes=1, milliseconds=250)),
        ("0s", timedelta()),
        (" 90m ", timedelta(minutes=90)),
    ],
)
def test_a_duration_is_read_as_it_is_written(text: str, duration: timedelta) -> None:
    assert parse_duration(text) == duration


@pytest.mark.parametrize(
    "text", ["", "5", "5x", "-5s", "1.5h", "30m1h", "5 m", "s", "٣s", "9999999999999999d", "1h30"]
)
def test_what_is_not_a_duration_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(ValueError, match="must be a duration such as") as caught:
        parse_duration(text)

    assert str(caught.value) == 'must be a duration such as "30s", "5m", "1h30m" or "7d"'


@pytest.mark.parametrize("text", ["36500d1ms", "3650000d", "999999999999999d"])
def test_a_duration_that_is_too_long_is_refused_with_the_longest(text: str) -> None:
    with pytest.raises(ValueError, match="must be at most 36500d, a hundred years"):
        parse_duration(text)


@settings(max_examples=50)
@given(MILLISECONDS)
def test_a_duration_survives_being_written_and_read(milliseconds: int) -> None:
    duration = timedelta(milliseconds=milliseconds)

    assert parse_duration(format_duration(duration)) == duration


def test_a_negative_duration_is_written_with_a_sign() -> None:
    assert format_duration(timedelta(seconds=-90)) == "-1m30s"


@pytest.mark.parametrize(
    ("text", "count", "seconds"),
    [
        ("10/s", 10, 1),
        ("30/min", 30, 60),
        ("5000/h", 5000, 3600),
        ("1/2s", 1, 2),
        ("9/d", 9, 86400),
    ],
)
def test_a_rate_is_read_and_written_the_same_way(text: str, count: int, seconds: int) -> None:
    rate = parse_rate(text)

    assert rate == Rate(count=count, seconds=seconds)
    assert str(rate) == text


@settings(max_examples=50)
@given(st.integers(1, 10**9 - 1), st.integers(1, 10**6 - 1))
def test_a_rate_survives_being_written_and_read(count: int, seconds: int) -> None:
    rate = Rate(count=count, seconds=seconds)

    assert parse_rate(str(rate)) == rate


@pytest.mark.parametrize("text", ["", "10", "10/", "/s", "0/s", "1/0s", "-1/s", "1.5/s", "10/week"])
def test_what_is_not_a_rate_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be a rate such as"):
        parse_rate(text)


def test_a_rate_knows_its_pace_per_second() -> None:
    assert Rate(count=5, seconds=10).per_second == 0.5
