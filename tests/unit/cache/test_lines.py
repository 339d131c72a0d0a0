from __future__ import annotations

import pytest
from fakes.boards import unescaped
from hypothesis import given
from hypothesis import strategies as st

from syncd.cache.lines import PageForm, escaped, shown
from syncd.model.leaderboard import Page


def page(*rows: tuple[bytes, bytes | None, bytes | None]) -> Page:
    users, *columns = zip(*rows, strict=True)
    return PageForm(("daily", "weekly"), 10).fill(users, columns)


def test_a_page_is_lines_of_ids_scores_and_instants() -> None:
    form = PageForm(("daily", "weekly"), 10)

    filled = form.fill([b"ada", b"bob"], [[b"5", None], [b"7", b"1.5"]], [b"2026-01-01", rb"\N"])

    assert filled.lines == b"ada\t5\t7\t2026-01-01\nbob\t\\N\t1.5\t\\N\n"
    assert (filled.rows, filled.members) == (2, (1, 2))


@pytest.mark.parametrize(
    ("user", "reason"),
    [
        (b"", "the id is empty"),
        (b"a\0b", "the id holds a control character"),
        (b"a\x7fb", "the id holds a control character"),
        (b"a\x1bb", "the id holds a control character"),
        (b"\xff\xfe", "the id is not UTF-8"),
        (b"\xed\xa0\x80", "the id is not UTF-8"),
        (b"x" * 11, "the id has 11 characters, more than 10"),
    ],
)
def test_an_id_that_cannot_be_stored_is_set_aside_alone(user: bytes, reason: str) -> None:
    filled = page((b"ada", b"1", b"2"), (user, b"3", None), (b"bob", b"4", None))

    assert filled.lines == b"ada\t1\t2\t\\N\nbob\t4\t\\N\t\\N\n"
    assert [poisoned.reason for poisoned in filled.poisoned] == [reason]
    assert filled.rows == 2
    assert filled.members == (3, 1)


@pytest.mark.parametrize("score", [b"inf", b"-inf", b"nan", b"-nan", b"-1", b"-5e-07"])
def test_a_score_that_is_none_sets_its_user_aside(score: bytes) -> None:
    filled = page((b"ada", b"1", b"2"), (b"bob", None, score))

    assert filled.lines == b"ada\t1\t2\t\\N\n"
    assert filled.poisoned == (("bob", f"the score on weekly is {score.decode()}", "bob"),)


@pytest.mark.parametrize("score", [b"0", b"-0", b"1e+300", b"5e-324", b"9007199254740992", b"0.1"])
def test_unusual_scores_stay_as_they_came(score: bytes) -> None:
    assert page((b"ada", score, None)).lines == b"ada\t%s\t\\N\t\\N\n" % score


def test_characters_are_counted_and_not_bytes() -> None:
    assert page(("ñ".encode() * 10, b"1", None)).poisoned == ()


def test_halves_of_a_character_in_neighbouring_ids_are_not_taken_for_text() -> None:
    filled = page((b"a\xc3", b"1", None), (b"\xb1b", b"1", None))

    assert len(filled.poisoned) == 2


def test_a_set_aside_user_is_protected_by_the_id_that_a_table_may_hold() -> None:
    filled = page((b"a\0b", b"1", None), (b"\xff", b"1", None), (b"a\x01", b"1", None))

    assert [poisoned.user_id for poisoned in filled.poisoned] == [None, None, "a\x01"]


@given(st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0"), min_size=1))
def test_copy_reads_every_escaped_id_as_it_was(user: str) -> None:
    line = escaped(user.encode())

    assert not set(b"\t\n\r") & set(line)
    assert unescaped(line.decode()) == user


@given(st.lists(st.binary(max_size=100), min_size=2, max_size=2, unique=True))
def test_no_two_ids_are_shown_alike(users: list[bytes]) -> None:
    first, second = map(shown, users)

    assert first != second
    assert first.isprintable()
    assert len(first) < 1_000
    first.encode()


def test_a_long_id_is_shown_by_its_beginning_and_a_sign() -> None:
    assert shown(b"x" * 300).startswith("x" * 80 + "... (300 characters, ")
    assert shown(b"x" * 300) != shown(b"x" * 299 + b"y")


@given(
    st.lists(
        st.tuples(
            st.sampled_from([b"ada", "zoë".encode(), b"a\\b", b"a\tb", b"", b"\xff", b"x" * 11]),
            st.sampled_from([None, b"1", b"inf", b"-0", b"2.5"]),
            st.sampled_from([None, b"3", b"nan", b"1e+20"]),
        ),
        min_size=1,
    )
)
def test_each_user_of_a_page_is_a_line_or_set_aside(
    rows: list[tuple[bytes, bytes | None, bytes | None]],
) -> None:
    filled = page(*rows)
    alone = [page(row) for row in rows]

    assert filled.lines == b"".join(each.lines for each in alone if each.rows)
    assert filled.poisoned == tuple(poisoned for each in alone for poisoned in each.poisoned)
    assert filled.members == tuple(map(sum, zip(*(each.members for each in alone), strict=True)))
    assert filled.rows + len(filled.poisoned) == len(rows)
