from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from syncd.daemon.people import check_entry, read_users
from syncd.errors import BadInput
from syncd.model.account import UserEntry
from syncd.platforms.base import Platform
from syncd.platforms.clist import Clist
from syncd.platforms.github import GitHub

PLATFORMS: dict[str, list[Platform]] = {
    "github": [GitHub.__new__(GitHub)],
    "clist": [Clist.__new__(Clist)],
}


def csv(text: str) -> list[UserEntry]:
    return read_users(text, "csv", PLATFORMS)


def lines(text: str) -> list[UserEntry]:
    return read_users(text, "json", PLATFORMS)


def problems(text: str, layout: str = "csv") -> tuple[str, ...]:
    with pytest.raises(BadInput) as refusal:
        read_users(text, layout, PLATFORMS)
    return refusal.value.problems


def test_a_csv_file_is_read() -> None:
    text = "key,github,opted_out,last_login_at\nada, Ada-L ,yes,2026-01-05T10:00:00Z\nbo,,,\n"

    assert csv(text) == [
        UserEntry(
            key="ada",
            accounts={"github": "Ada-L"},
            opted_out=True,
            last_login_at=datetime(2026, 1, 5, 10, tzinfo=UTC),
        ),
        UserEntry(key="bo"),
    ]


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_files_of_other_systems_are_read(ending: str, mark: str) -> None:
    assert [entry.key for entry in csv(mark + ending.join(["key,github", "ada,ada", ""]))] == [
        "ada"
    ]


def test_a_date_without_a_zone_is_taken_as_utc() -> None:
    entry = csv("key,last_login_at\nada,2026-01-05 10:00\n")[0]

    assert entry.last_login_at == datetime(2026, 1, 5, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("cell", "key"),
    [("'=1+1", "=1+1"), ("''=x", "'=x"), ("''", "'"), ("'ada", "'ada"), ("'", "'")],
)
def test_one_apostrophe_that_keeps_a_cell_from_being_computed_is_taken_off(
    cell: str, key: str
) -> None:
    assert csv(f"key\n{cell}\n")[0].key == key


@pytest.mark.parametrize("layout", ["lines", "list"])
def test_a_json_file_is_read(layout: str) -> None:
    users = [{"key": "ada", "accounts": {"github": "ada"}}, {"key": "bo", "opted_out": False}]
    text = json.dumps(users) if layout == "list" else "\n\n".join(map(json.dumps, users))

    assert [(entry.key, entry.opted_out) for entry in lines(text)] == [("ada", None), ("bo", False)]


def test_an_empty_handle_in_json_disconnects_and_an_empty_cell_says_nothing() -> None:
    assert lines('{"key": "ada", "accounts": {"github": ""}}')[0].accounts == {"github": ""}
    assert csv("key,github\nada,\n")[0].accounts == {}


def test_a_line_separator_inside_a_text_does_not_move_the_line_numbers() -> None:
    first = '{"key": "a\u2028b"}'

    assert [problem.partition(":")[0] for problem in problems(f"{first}\nnonsense", "json")] == [
        "line 1",
        "line 2",
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "line 1: there is no column 'key'"),
        ("key,gitlab\n", "line 1: unknown column 'gitlab'"),
        ("key,key\n", "line 1: column 'key' stands there twice"),
        ("key,github\nada\n", "line 2: 1 cells, the header has 2"),
        ("key,github\nada,a/b\n", "line 2: accounts.github: 'a/b' cannot be a name on github"),
        ("key,clist\nada,x\n", "line 1: unknown column 'clist'"),
        ("key,github\nada,..\n", "line 2: accounts.github: '..' cannot be a name on github"),
        ("key,opted_out\nada,perhaps\n", "line 2: opted_out: 'perhaps' is neither true nor false"),
        ("key,github\nada,x\nbo,y\nada,z\n", "line 4: user 'ada' stands in line 2"),
        ('key,github\n"ada,x\n', "line 2: a quote opens here and is never closed"),
        ('key,github\nbo,x\n"a"da,x\n', "line 3: something stands behind a closing quote"),
        (f'key\n"{"x" * 140_000}"\n', "line 2: a cell is longer than 131072 characters"),
        ("key\nada\rbo\n", "line 2: a line ends in a carriage return alone"),
        ('"key,github\n', "line 1: a quote opens here and is never closed"),
        ("key;github\nada;x\n", "line 1: the columns are separated by ';'"),
        ("key\tgithub\nada\tx\n", "line 1: the columns are separated by a tab"),
        (
            "key,last_login_at\nada,0001-01-01T00:00:00+14:00\n",
            "line 2: last_login_at: must be a date and time of the years 1970 to 9999 in UTC",
        ),
        (
            "key,last_login_at\nada,9999-12-31T23:00:00-14:00\n",
            "line 2: last_login_at: must be a date and time of the years 1970 to 9999 in UTC",
        ),
        (
            "key,last_login_at\nada,10000-01-01\n",
            "line 2: last_login_at: must be a date and time such as 2026-11-02T14:00Z",
        ),
        (
            "key,last_login_at\nada,2026\n",
            "line 2: last_login_at: must be a date and time such as 2026-11-02T14:00Z",
        ),
        ("key\na/b\n", "line 2: key 'a/b' must be 1 to 128 printable characters, no slash"),
    ],
)
def test_what_is_wrong_in_a_csv_file_is_said_with_its_line(text: str, told: str) -> None:
    assert any(problem.startswith(told) for problem in problems(text))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "line 1: this is not JSON at character 1"),
        ('"ada"', "line 1: row: must be an object"),
        ('{"accounts": {}}', "line 1: key: is missing"),
        ('{"key": "ada", "acounts": {}}', 'line 1: acounts: unknown key, did you mean "accounts"?'),
        ('{"key": 5}', "line 1: key: must be text"),
        ('{"key": "ada", "accounts": {"github": 5}}', "line 1: accounts.github: must be text"),
        ('{"key": "ada", "accounts": []}', "line 1: accounts: must be an object"),
        ('{"key": "ada", "last_login_at": 5}', "line 1: last_login_at: must be a date and time"),
        ('[\n{"key": "ada"},\n\n{"key": "ada"}]', "line 4: user 'ada' stands in line 2"),
        ('{"key": "ada", "key": "bo"}', "line 1: a key stands there twice"),
        (
            '[{"key": "ada"},\n{"key": "bo", "accounts": {"github": "x", "github": "y"}}]',
            "line 2: a key stands there twice",
        ),
        ('[{"key": "ada"},\n {"key": }]', "line 2: this is not JSON at character 9"),
        ('[{"key": "ada"}\n', "line 2: this is not JSON at character 0"),
        ('[{"key": "ada"}] x', "line 1: this is not JSON at character 17"),
        ("[" + "[" * 100_000, "line 1: this is not JSON"),
        ('{"key": "ada", "accounts": {"gitlab": "x"}}', "line 1: accounts.gitlab: there is no"),
        ('{"key": "ada", "accounts": {"clist": "x"}}', "line 1: accounts.clist: clist tells of"),
        ('{"key": "a\\nb"}', "line 1: key 'a\\nb' must be"),
        ('{"key": "\\ud800"}', "line 1: key "),
        ("[" * 100_000, "line 1: this is not JSON"),
    ],
)
def test_what_is_wrong_in_a_json_file_is_said_with_its_line(text: str, told: str) -> None:
    assert any(problem.startswith(told) for problem in problems(text, "json"))


def test_a_file_that_breaks_off_is_told_together_with_the_bad_lines_before_it() -> None:
    assert problems('key,github\nada,a/b\nbo,x\ncy,-\n"dee,x\nflo,y\n') == (
        "line 2: accounts.github: 'a/b' cannot be a name on github",
        "line 4: accounts.github: '-' cannot be a name on github",
        "line 5: a quote opens here and is never closed",
    )


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("key;github\n", "separate the columns by commas"),
        ("name,github\n", "columns: github, key, last_login_at, opted_out"),
        ("key,github\nada,a/b\n", "mend these lines and import the whole file again"),
    ],
)
def test_a_refused_file_comes_with_what_to_do(text: str, hint: str) -> None:
    with pytest.raises(BadInput) as refusal:
        csv(text)

    assert refusal.value.hint == hint


@pytest.mark.parametrize("text", ["[]", " [ ] ", "", "\n"])
def test_a_json_file_may_hold_nobody(text: str) -> None:
    assert lines(text) == []


def test_every_problem_is_told_at_once_up_to_a_hundred() -> None:
    told = problems("key,github\n" + "".join(f"u{n},a/b\n" for n in range(250)))

    assert (len(told), told[-1]) == (101, "and 150 more")


def test_no_secret_looking_value_is_repeated_in_a_problem() -> None:
    told = problems('{"key": 5, "last_login_at": "ghp_secret"}', "json")

    assert "ghp_secret" not in " ".join(told)


@pytest.mark.parametrize("key", ["a", "a" * 128, "user@example.org", "Ünal", "with space"])
def test_any_printable_key_is_accepted(key: str) -> None:
    check_entry(UserEntry(key=key), PLATFORMS)


@pytest.mark.parametrize(
    "key", ["", "a" * 129, "a/b", "a\0b", "a\u2028b", "\u202egnp", " ", " ada", "ada "]
)
def test_a_key_that_cannot_stand_in_an_address_is_refused(key: str) -> None:
    with pytest.raises(BadInput, match="printable characters"):
        check_entry(UserEntry(key=key), PLATFORMS)
