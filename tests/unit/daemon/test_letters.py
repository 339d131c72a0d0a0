from __future__ import annotations

import pytest

from syncd.daemon.letters import letter_in_words, letter_problems


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (
            "open",
            (
                "12 waits for a person: `syncd dead-letters requeue 12` "
                "or `syncd dead-letters discard 12`"
            ),
        ),
        ("requeued", "12 was requeued by ada: the next good answer settles it"),
        ("discarded", "12 was discarded by ada: `syncd dead-letters requeue 12` takes that back"),
        ("resolved", "12 is settled"),
    ],
)
def test_a_letter_is_told_with_what_a_person_can_do(state: str, words: str) -> None:
    assert letter_in_words({"id": 12, "state": state, "actor": "ada"}) == words


def test_what_waits_is_one_problem_with_the_largest_part_first() -> None:
    rows = [
        {"platform": "github", "job": "main", "error_class": "unsuitable", "letters": 3},
        {"platform": "github", "job": "main", "error_class": "schema_error", "letters": 1_200},
        {"platform": "github", "job": "backup", "error_class": "schema_error", "letters": 34},
    ]

    assert letter_problems(rows) == [
        {
            "what": "1,237 dead letters for a person to look at: "
            "github schema_error 1,234, github unsuitable 3",
            "hint": "syncd dead-letters list",
        }
    ]
    assert letter_problems([]) == []


def test_letters_of_no_platform_are_told_by_their_job() -> None:
    rows = [{"platform": "", "job": "leaderboard", "error_class": "poisoned", "letters": 3}]

    [problem] = letter_problems(rows)

    assert problem["what"] == "3 dead letters for a person to look at: leaderboard poisoned 3"
