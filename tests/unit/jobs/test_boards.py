from __future__ import annotations

import math
from typing import Any

import pytest
from pydantic import ValidationError

from syncd.jobs.boards import LeaderboardOptions
from syncd.model.leaderboard import Board


def options(**given: Any) -> LeaderboardOptions:
    return LeaderboardOptions.model_validate(given)


def test_left_out_the_options_are_those_of_the_replaced_service() -> None:
    default = options()

    assert [board.key for board in default.all_boards()] == [
        "leaderboard:daily",
        "leaderboard:weekly",
        "leaderboard:monthly",
        "leaderboard:yearly",
    ]
    assert str(default.target()) == "pomo_leaderboard"
    assert list(default.target().columns.values()) == [
        "daily_pomo",
        "weekly_pomo",
        "monthly_pomo",
        "yearly_pomo",
    ]


def test_boards_keys_and_columns_can_be_others() -> None:
    given = options(
        boards=["weekly", "all_time"],
        prefix="game:",
        keys={"weekly": "w"},
        columns={"all_time": "score"},
        schema="public",
        table="ranks",
    )

    assert given.all_boards() == (
        Board(name="weekly", key="w"),
        Board(name="all_time", key="game:all_time"),
    )
    assert dict(given.target().columns) == {"weekly": "weekly_pomo", "all_time": "score"}
    assert str(given.target()) == "public.ranks"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"boards": []}, "boards"),
        ({"boards": ["daily", "daily"]}, "boards must not name one twice"),
        ({"boards": ["a b"]}, "letters, digits and underscores"),
        ({"keys": {"hourly": "h"}}, "keys names 'hourly'"),
        ({"columns": {"hourly": "h"}}, "columns names 'hourly'"),
        ({"keys": {"daily": "x", "weekly": "x"}}, "two boards have the key 'x'"),
        ({"keys": {"daily": ""}}, "keys.daily"),
        ({"dirty": "leaderboard:daily"}, "dirty must be a set of its own"),
        ({"columns": {"daily": "user_id"}}, "two of the columns are 'user_id'"),
        ({"mode": "incremental", "dirty": ""}, "needs dirty"),
        ({"guard": {"share": math.nan}}, "share"),
        ({"guard": {"most_share": math.nan}}, "most_share"),
        ({"guard": {"most_share": 0.21}}, "less than or equal to 0.2"),
        ({"guard": {"changed_share": math.inf}}, "changed_share"),
        ({"guard": {"share": 0.2, "most_share": 0.1}}, "share must be at most most_share"),
        ({"guard": {"runs": 0}}, "runs"),
        ({"guard": {"wait": "-1h"}}, "wait"),
        ({"large_change": math.nan}, "large_change"),
        ({"batch": 99}, "batch"),
        ({"table": "a\0b"}, "a name of PostgreSQL"),
        ({"table": "ü" * 40}, "a name of PostgreSQL"),
        ({"prefix": "a\nb"}, "printable"),
    ],
)
def test_what_cannot_be_is_refused_by_name(given: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError) as refused:
        options(**given)

    assert told in str(refused.value)
