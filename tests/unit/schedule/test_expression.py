from __future__ import annotations

import pytest

from syncd.errors import ConfigError
from syncd.schedule.expression import canonical


@pytest.mark.parametrize(
    ("written", "spelled"),
    [
        ("0 2 * * *", "0 2 * * *"),
        ("  0\t02  *  * * ", "0 2 * * *"),
        ("0 0 * JAN,jul Mon-Fri", "0 0 * 1,7 1-5"),
        ("0 9-9 * * 1-1", "0 9 * * 1"),
        ("10-10/5 5-05/2 * * mon-1/3", "10 5 * * 1"),
        ("*/15 5/20 1-31/2 * *", "*/15 5/20 1-31/2 * *"),
        ("0 0 ? * MON", "0 0 * * 1"),
        ("0 0 1 * ?", "0 0 1 * *"),
        ("0 0 L * *", "0 0 l * *"),
        ("0 9 15W * *", "0 9 15w * *"),
        ("0 9 W15 * *", "0 9 15w * *"),
        ("0 0 * * 5L", "0 0 * * l5"),
        ("0 0 * * L5", "0 0 * * l5"),
        ("0 0 * * friL", "0 0 * * l5"),
        ("0 0 * * 7L", "0 0 * * l0"),
        ("0 0 * * thu#2", "0 0 * * 4#2"),
        ("*/30 0 0 * * *", "*/30 0 0 * * *"),
        ("H H(2-5) H * H", "h h(2-5) h(1-28) * h"),
        ("H/15 H(0-0) * * *", "h/15 0 * * *"),
        ("5,* *,3 1,* * 2,*/1", "0-59 * 1-31 * 2,*/1"),
        ("@hourly", "0 * * * *"),
        ("@Daily", "0 0 * * *"),
        ("@annually", "0 0 1 1 *"),
    ],
)
def test_an_expression_has_one_spelling(written: str, spelled: str) -> None:
    assert canonical(written) == spelled


def test_the_spelling_is_its_own_spelling() -> None:
    once = canonical("H/7 9-9 1W FEB *")

    assert canonical(once) == once


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        ("60 * * * *", 'schedule "60 * * * *": minute 60 is out of range, write 0-59'),
        ("0 24 * * *", "hour 24 is out of range, write 0-23"),
        ("0 0 32 * *", "day 32 is out of range, write 1-31"),
        ("0 0 32W * *", "day 32 is out of range, write 1-31"),
        ("0 0 * 0 *", "month 0 is out of range, write 1-12"),
        ("0 0 * * 8", "weekday 8 is out of range, write 0-7"),
        ("61 0 0 * * *", "second 61 is out of range, write 0-59"),
        ("0 22-2 * * *", 'hour range "22-2" runs backwards, write "22-23,0-2"'),
        ("0 0 * * 6-0", 'weekday range "6-0" runs backwards, write "6-7"'),
        ("0 0 * * fri-sun", 'weekday range "fri-sun" runs backwards, write "5-7"'),
        ("0 0 * * sat-tue", 'weekday range "sat-tue" runs backwards, write "6-7,1-2"'),
        ("0 0 LW * *", 'the last weekday is written "31W" here'),
        ("0 0 L-3 * *", 'day "l" cannot be read'),
        ("0 0 * * 5#0", 'weekday "5#0" never comes'),
        ("0 0 * * monday", 'weekday "monday" cannot be read, did you mean "mon"?'),
        ("0 0 * august *", 'month "august" cannot be read, did you mean "aug"?'),
        ("0 0 * * foo", 'weekday "foo" cannot be read, write 0-7 or sun-sat'),
        ("1,,2 * * * *", 'minute "" cannot be read'),
        ("1.5 * * * *", 'minute "1.5" cannot be read'),
        ("-1 * * * *", 'minute "-1" cannot be read'),
        ("\u0665 * * * *", 'minute "\\u0665" cannot be read'),
        ("? * * * *", 'minute "?" cannot be read'),
        ("0 0 W * *", 'day "w" cannot be read'),
        ("0 0 20-L * *", 'day "l" cannot be read'),
        ("0 0 * * L", 'weekday "l" cannot be read'),
        ("*/0 * * * *", 'step of "*/0" is 0, write at least 1'),
        ("H(10-70) * * * *", "minute 70 is out of range"),
        ("R * * * *", '"R" picks another minute at every start, write "H" for a steady one'),
        ("0 R(1-5)/2 * * *", '"R" picks another hour'),
        ("0 0 * * 5#6", 'weekday "5#6" never comes, write #1 to #5'),
        ("", "it has 0 fields, write 5 (minute hour day month weekday) or 6"),
        ("5", "it has 1 field, write 5 (minute hour day month weekday) or 6"),
        ("0 0 * *", "it has 4 fields"),
        ("0 0 0 1 1 * 2030", "it has 7 fields"),
        ("@every 5m", 'write every = "5m" instead of a schedule'),
        ("@reboot", "write run_on_start = true instead of a schedule"),
        ("@dayly", '"@dayly" is no schedule, did you mean "@daily"?'),
        ("@daily 5", '"@daily" is no schedule'),
        ("@nonsense", 'write five fields such as "0 2 * * *"'),
    ],
)
def test_what_cannot_be_meant_is_refused_in_one_sentence(written: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        canonical(written)

    assert sentence in str(refusal.value)
    assert len(refusal.value.problems) == 1
    assert "\n" not in refusal.value.problems[0]


def test_an_expression_longer_than_256_characters_is_refused_without_being_repeated() -> None:
    with pytest.raises(ConfigError, match="it has 1009 characters, write at most 256") as refusal:
        canonical("0," * 500 + "0 * * * *")

    assert len(str(refusal.value)) < 120


def test_a_line_break_in_an_expression_does_not_break_the_sentence() -> None:
    with pytest.raises(ConfigError) as refusal:
        canonical("99\n* * * *")

    assert "\n" not in str(refusal.value)
