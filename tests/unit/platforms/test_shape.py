from __future__ import annotations

from typing import Any

import pytest
from fakes.answers import answer

from syncd.errors import BadPayload
from syncd.outbound.answers import Kind
from syncd.platforms.shape import Shape, is_same_handle, judge_site, rows_of, sampled

CHALLENGE = b"<html><head><title>Just a moment...</title></head></html>"


def shape(**data: Any) -> Shape:
    return Shape(data, "ada")


def test_what_is_absent_null_or_blank_is_none_and_never_zero() -> None:
    empty = shape(here=None, blank=" ")

    for key in ("here", "absent"):
        assert empty.count(key) is empty.number(key) is empty.flag(key) is None
        assert empty.inner(key) is empty.rows(key) is empty.text(key) is None
    assert empty.text("blank") is None


def test_what_is_there_is_read_with_its_type() -> None:
    whole = shape(a="x", b=0, c=-1.5, d=True, e={"f": 7}, g=[{"h": 1}], i="42", j="3.5")

    assert (whole.text("a"), whole.count("b"), whole.number("c"), whole.flag("d")) == (
        "x",
        0,
        -1.5,
        True,
    )
    assert whole.needed_inner("e").needed_count("f") == 7
    assert [row.needed_count("h") for row in whole.needed_rows("g")] == [1]
    assert (whole.count("i", as_text=True), whole.number("j", as_text=True)) == (42, 3.5)


@pytest.mark.parametrize(
    ("read", "value", "error"),
    [
        ("needed_text", None, "'ada': $.x is missing"),
        ("needed_text", "", "'ada': $.x is missing"),
        ("needed_count", None, "'ada': $.x is missing"),
        ("needed_number", None, "'ada': $.x is missing"),
        ("needed_inner", None, "'ada': $.x is missing"),
        ("needed_rows", None, "'ada': $.x is missing"),
        ("text", 7, "'ada': $.x is no text: 7"),
        ("count", "7", "'ada': $.x is no whole number: '7'"),
        ("count", True, "'ada': $.x is no whole number: True"),
        ("count", 7.0, "'ada': $.x is no whole number: 7.0"),
        ("count", -1, "'ada': $.x is no count: -1"),
        ("count", 2**63, "'ada': $.x is no count: 9223372036854775808"),
        ("number", "1500", "'ada': $.x is no number: '1500'"),
        ("number", float("inf"), "'ada': $.x is no number: no finite number"),
        ("number", float("nan"), "'ada': $.x is no number: no finite number"),
        ("number", False, "'ada': $.x is no number: False"),
        ("flag", 0, "'ada': $.x is no true or false: 0"),
        ("inner", [], "'ada': $.x is no object but []"),
        ("rows", {}, "'ada': $.x is no list but {}"),
        ("rows", [{}, 1], "'ada': $.x[1] is no object but 1"),
        ("text", ["y" * 99], f"'ada': $.x is no text: ['{'y' * 48}"),
    ],
)
def test_wrong_value_is_named_with_its_place(read: str, value: Any, error: str) -> None:
    with pytest.raises(BadPayload) as raised:
        getattr(shape(x=value), read)("x")

    assert str(raised.value) == error


def test_place_of_a_value_deep_inside_is_named() -> None:
    rows = shape(a={"b": [{"c": 1}, {}]}).needed_inner("a").needed_rows("b")

    with pytest.raises(BadPayload, match=r"'ada': \$\.a\.b\[1\]\.c is missing"):
        rows[1].needed_count("c")


@pytest.mark.parametrize("data", [None, [], "x", 7])
def test_whole_answer_that_is_no_object_is_refused(data: Any) -> None:
    with pytest.raises(BadPayload, match=r"'ada': \$ is no object"):
        Shape(data, "ada")


def test_list_of_anything_else_is_refused() -> None:
    with pytest.raises(BadPayload, match=r"\$\[0\] is no object"):
        rows_of([7], "ada")


@pytest.mark.parametrize(
    ("answered", "is_same"),
    [("Ada", True), ("ada", True), ("ad\u0430", False), ("\u212aay", False), ("adaa", False)],
)
def test_handles_are_the_same_but_for_capitals_of_ascii(answered: str, is_same: bool) -> None:
    assert is_same_handle(answered, "ADA") is is_same
    assert not is_same_handle("\u212aay", "kay")


def test_error_about_an_account_brings_the_beginning_of_the_answer() -> None:
    with pytest.raises(BadPayload) as raised, sampled(answer(data={"x": "\u202e"})):
        shape().needed_text("y")

    assert raised.value.sample == r'{"x": "\\u202e"}'


@pytest.mark.parametrize(
    ("status", "body", "kind", "is_certain"),
    [
        (200, b"{}", Kind.OK, False),
        (404, b"{}", Kind.OK, False),
        (302, b"<html></html>", Kind.OK, False),
        (429, b"{}", Kind.PAUSE, False),
        (429, b"<html>slow down</html>", Kind.PAUSE, False),
        (499, b"", Kind.TRANSIENT, False),
        (500, b"<html>oops</html>", Kind.TRANSIENT, False),
        (503, b"<html>maintenance</html>", Kind.TRANSIENT, False),
        (401, b"{}", Kind.BLOCKED, False),
        (403, b"{}", Kind.BLOCKED, False),
        (403, b"Forbidden", Kind.BLOCKED, True),
        (200, b"<html>login</html>", Kind.BLOCKED, True),
        (200, CHALLENGE, Kind.BLOCKED, True),
        (429, CHALLENGE, Kind.BLOCKED, True),
        (503, CHALLENGE, Kind.BLOCKED, True),
        (200, b'<html><div class="g-recaptcha"></div></html>', Kind.BLOCKED, True),
    ],
)
def test_site_is_judged_by_what_comes(
    status: int, body: bytes, kind: Kind, is_certain: bool
) -> None:
    verdict = judge_site(answer(status, body=body))

    assert (verdict.kind, verdict.is_certain) == (kind, is_certain)


def test_page_that_was_asked_for_is_good_unless_it_is_a_challenge() -> None:
    page, challenge = answer(body=b"<html>Ada</html>"), answer(body=CHALLENGE)

    assert judge_site(page, expects_page=True).kind is Kind.OK
    assert judge_site(challenge, expects_page=True).kind is Kind.BLOCKED


def test_words_about_a_captcha_in_json_are_no_challenge() -> None:
    assert judge_site(answer(data={"bio": "I solve captcha, just a moment..."})).kind is Kind.OK
