from __future__ import annotations

from typing import Any

import pytest

from syncd.errors import RunError
from syncd.jobs.columns import Columns, Keys
from syncd.store.source import Column

PLATFORMS = ("github", "codeforces")


def columns(**types: str) -> Columns:
    return Columns([Column(name=name, type=kind) for name, kind in types.items()], PLATFORMS)


def test_a_row_becomes_a_user_and_their_links() -> None:
    meant = columns(key="int8", codeforces="varchar", github="text")
    row: Any = {"key": 7, "codeforces": " tourist ", "github": None}

    assert meant.platforms == ["codeforces", "github"]
    assert meant.user(row, "7") == ("7", None, None)
    assert meant.links(row, "7") == [("7", "codeforces", "tourist")]


def test_every_problem_of_the_columns_is_said_at_once() -> None:
    with pytest.raises(RunError) as caught:
        columns(id="text", last_login_at="date", opted_out="text", github="bytea")

    assert str(caught.value) == (
        '[users] query: there is no column key; unknown column "id"; '
        "last_login_at is of type date, write last_login_at::timestamptz; "
        "opted_out is of type text, write opted_out::boolean; "
        "github is of type bytea, write github::text; nothing was changed"
    )
    assert caught.value.hint == (
        "columns: key, last_login_at, opted_out, github, codeforces; "
        "name them with AS, leave out others"
    )


def test_keys_that_cannot_be_are_counted_and_three_of_them_shown() -> None:
    keys = Keys()

    accepted = [keys.checked(value) for value in ("a", None, " ", 5, "b/1", "b/2", "b/3", "b/4")]

    assert accepted == ["a", None, None, "5", None, None, None, None]
    with pytest.raises(RunError) as caught:
        keys.check([], 0)
    assert str(caught.value) == (
        "[users] query: column key is NULL or empty in 2 rows; 4 rows with a key that is not 1 to "
        '128 printable characters, no slash, no space around it: "b/1", "b/2", "b/3" and 1 more; '
        "nothing was changed"
    )
