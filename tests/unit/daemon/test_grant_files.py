from __future__ import annotations

import json
import random
import re
from datetime import UTC, datetime
from typing import Any

import pytest

from syncd.daemon.grant_files import LONGEST_TOKEN, GrantRules, read_grants
from syncd.errors import BadInput
from syncd.model.account import Account
from syncd.model.grant import GrantEntry
from syncd.model.play import Heard
from syncd.platforms.base import Platform
from syncd.platforms.github import GitHub

CANARY = "canary-refresh-7"
NOW = datetime(2026, 11, 22, 18, tzinfo=UTC)
GRANTED = "2026-09-01T12:00:00+02:00"


class Radio(Platform):
    """Users grant access to it."""

    kind = "listening"
    handle_rule = re.compile(r"[a-z-]+")

    async def fetch(self, account: Account) -> Heard:
        raise AssertionError(account)


RULES = GrantRules(
    platforms={"github": [GitHub.__new__(GitHub)], "spotify": [Radio.__new__(Radio)]}, now=NOW
)


def given(**changes: Any) -> dict[str, Any]:
    return {"key": "ada", "refresh_token": CANARY, "granted_at": GRANTED, **changes}


def read(text: str, layout: str = "csv") -> list[tuple[int, GrantEntry]]:
    return read_grants(text, layout, RULES)


def problems(text: str, layout: str = "csv") -> tuple[str, ...]:
    with pytest.raises(BadInput) as refusal:
        read(text, layout)
    told = (*refusal.value.problems, str(refusal.value), refusal.value.hint or "")
    assert "canary" not in " ".join(told).lower()
    assert refusal.value.__cause__ is None
    return refusal.value.problems


def test_a_csv_file_of_grants_is_read_with_its_lines() -> None:
    text = (
        "key,handle,refresh_token,access_token,access_expires_at,scopes,granted_at\n"
        f"ada,ada-listens,{CANARY},canary-access-7,2026-11-22T19:00Z,a b,{GRANTED}\n"
        "\n"
        f"bo,,{CANARY}-2,,,,{GRANTED}\n"
    )

    assert read(text) == [
        (
            2,
            GrantEntry(
                key="ada",
                platform="spotify",
                handle="ada-listens",
                refresh_token=CANARY,
                access_token="canary-access-7",
                access_expires_at=datetime(2026, 11, 22, 19, tzinfo=UTC),
                scopes="a b",
                granted_at=datetime(2026, 9, 1, 10, tzinfo=UTC),
            ),
        ),
        (
            4,
            GrantEntry(
                key="bo",
                platform="spotify",
                refresh_token=f"{CANARY}-2",
                granted_at=datetime(2026, 9, 1, 10, tzinfo=UTC),
            ),
        ),
    ]


@pytest.mark.parametrize("wrap", [lambda text: text, lambda text: f"[{text}]"])
def test_lines_and_lists_of_json_are_read(wrap: Any) -> None:
    found = read(wrap(json.dumps(given(platform="spotify"))), "json")

    assert [(line, entry.key) for line, entry in found] == [(1, "ada")]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"granted_at": None}, "granted_at: must be a date and time such as 2026-11-02T14:00Z"),
        ({"granted_at": "2026-09-01T12:00:00"}, "granted_at: needs an offset, such as Z or +05:30"),
        ({"granted_at": "2027-01-01T00:00Z"}, "granted_at: lies in the future"),
        ({"granted_at": CANARY}, "granted_at: must be a date and time"),
        ({"refresh_token": ""}, "refresh_token: is empty"),
        ({"refresh_token": f"{CANARY} {CANARY}"}, "refresh_token: holds a space"),
        ({"refresh_token": f"{CANARY}\n"}, "refresh_token: holds a space or a character"),
        ({"refresh_token": "x" * (LONGEST_TOKEN + 1)}, "refresh_token: is longer than 4,096"),
        ({"refresh_token": [CANARY]}, "refresh_token: must be"),
        ({"access_token": f"{CANARY}\t"}, "access_token: holds a space"),
        ({"scopes": "a\0b"}, "scopes: must hold printable characters only"),
        ({"scopes": "a \ud800"}, "scopes: must hold printable characters only"),
        ({"scopes": "a " * 600}, "scopes: is longer than 1,024 characters"),
        ({"access_expires_at": "tomorrow"}, "access_expires_at: must be a date and time"),
        ({"platform": "github"}, "platform: is none that users grant access to; there is spotify"),
        ({"platform": CANARY}, "platform: is none that users grant access to"),
        ({"key": f"{CANARY}/x"}, "key: must be"),
        ({"handle": f"{CANARY}\x00"}, "handle: cannot be a name on spotify"),
        ({CANARY: "x"}, "unknown key"),
        ({"granted": "x"}, "granted: unknown key"),
    ],
)
def test_what_is_wrong_with_a_grant_is_told_without_what_was_given(
    changes: dict[str, Any], told: str
) -> None:
    found = problems(json.dumps(given(**changes)), "json")

    assert len(found) == 1
    assert found[0].startswith("line 1: ")
    assert told in found[0]


@pytest.mark.parametrize("missing", ["key", "refresh_token", "granted_at"])
def test_what_is_missing_is_named(missing: str) -> None:
    text = json.dumps({name: value for name, value in given().items() if name != missing})

    assert problems(text, "json") == (f"line 1: {missing}: is missing",)


def test_every_problem_of_a_file_is_told_with_its_line() -> None:
    text = f"key,refresh_token,granted_at\nada,,{GRANTED}\nbo,{CANARY},yesterday\n,{CANARY}\n"

    assert [problem.split(":")[0] for problem in problems(text)] == ["line 2", "line 3", "line 4"]


def test_a_user_who_stands_there_twice_is_named_by_the_lines() -> None:
    row = f"ada,{CANARY},{GRANTED}\n"

    assert problems(f"key,refresh_token,granted_at\n{row}{row}") == (
        "line 3: its user stands in line 2 already, for the same platform",
    )


def test_a_file_without_its_header_shows_no_token() -> None:
    told = problems(f"ada,{CANARY},{GRANTED}\nbo,{CANARY},{GRANTED}\n")

    assert "line 1: column 2 has no name of ours" in told
    assert "line 1: there is no column 'refresh_token'" in told


def test_a_column_that_is_nearly_right_is_suggested() -> None:
    told = problems("key,refresh_tokens,granted_at\n")

    assert told[0].startswith("line 1: column 2 has no name of ours")
    assert "refresh_token" in told[0]


@pytest.mark.parametrize(
    ("text", "layout"),
    [
        (f'{{"key": "ada", "refresh_token": "{CANARY}', "json"),
        (f'{{"{CANARY}": 1, "{CANARY}": 2}}', "json"),
        (f'["{CANARY}"]', "json"),
        (f"{CANARY}", "json"),
        (f'key,refresh_token,granted_at\nada,"{CANARY}', "csv"),
        (f"key;refresh_token;granted_at\nada;{CANARY};x\n", "csv"),
        (f"key,refresh_token,granted_at\nada,{CANARY},x,y\n", "csv"),
    ],
)
def test_a_file_that_is_broken_shows_no_token(text: str, layout: str) -> None:
    assert problems(text, layout)


def test_no_damage_to_a_file_makes_it_show_a_token() -> None:
    rng = random.Random(7)
    rows = [f"u{n},{CANARY}-{n},{GRANTED}\n" for n in range(20)]
    files = {
        "csv": "key,refresh_token,granted_at\n" + "".join(rows),
        "json": "\n".join(json.dumps(given(key=f"u{n}")) for n in range(20)),
    }
    marks = [",", '"', "\n", "{", "}", "\x00", "[", ";", "\t", "\\", ":", "'"]

    for layout, text in files.items():
        for _ in range(150):
            at = rng.randrange(len(text))
            damaged = text[:at] + rng.choice(marks) + text[at + rng.randrange(3) :]
            try:
                read(damaged, layout)
            except BadInput as error:
                assert "canary-refresh" not in f"{error} {error.hint}"  # noqa: PT017 - none is fine
