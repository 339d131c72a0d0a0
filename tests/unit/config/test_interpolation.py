from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncd.config.interpolation import expand, expand_table, literal
from syncd.config.place import Problem

NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True)
DEFAULTS = st.text(st.characters(exclude_characters="{}"), max_size=8)
PLAIN = st.text(st.characters(exclude_characters="$"), max_size=8)


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("${SET}", "value"),
        ("a ${SET} b ${SET}", "a value b value"),
        ("${UNSET:-other}", "other"),
        ("${EMPTY:-other}", "other"),
        ("${EMPTY}", ""),
        ("${UNSET:-}", ""),
        ("${SET:-other}", "value"),
        ("$${SET}", "${SET}"),
        ("$SET $ 5$ $$", "$SET $ 5$ $$"),
        ("${TRICKY}", "${SET}"),
    ],
)
def test_a_reference_becomes_the_value_of_its_variable(text: str, expanded: str) -> None:
    environ = {"SET": "value", "EMPTY": "", "TRICKY": "${SET}"}

    assert expand(text, environ) == expanded


@pytest.mark.parametrize("text", ["${", "${}", "${1A}", "${A", "${A:default}", "${A:-${B}}"])
def test_a_malformed_reference_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="malformed"):
        expand(text, {"A": "a", "B": "b"})


def test_a_variable_that_is_not_set_is_named() -> None:
    with pytest.raises(ValueError, match="variable NOPE is not set and has no default"):
        expand("x${NOPE}", {})


@settings(max_examples=50)
@given(st.lists(st.tuples(PLAIN, NAMES, st.none() | DEFAULTS, st.none() | PLAIN), max_size=5))
def test_any_mix_of_references_and_text_is_expanded_from_left_to_right(
    parts: list[tuple[str, str, str | None, str | None]],
) -> None:
    environ = {name: value for _, name, _, value in parts if value is not None}
    parts = [
        (plain, name, default if name in environ or default is not None else "", value)
        for plain, name, default, value in parts
    ]
    text = "".join(
        plain + (f"${{{name}}}" if default is None else f"${{{name}:-{default}}}")
        for plain, name, default, _ in parts
    )
    wanted = "".join(
        plain + (environ.get(name, "") if default is None else environ.get(name) or default)
        for plain, name, default, _ in parts
    )

    assert expand(text, environ) == wanted


@settings(max_examples=50)
@given(st.text(max_size=30))
def test_text_survives_when_its_references_are_escaped(text: str) -> None:
    text = text.replace("$", "")

    assert expand(text + "$${" + text, {}) == text + "${" + text


@pytest.mark.parametrize(
    ("text", "stands_there"),
    [
        ("${A}", ""),
        ("${A:-secret}", "secret"),
        ("x${A}", "x"),
        ("$${A}", "${A}"),
        ("plain", "plain"),
    ],
)
def test_what_stands_in_the_file_itself_is_told_from_what_variables_bring(
    text: str, stands_there: str
) -> None:
    assert literal(text) == stands_there


def test_a_document_is_expanded_everywhere_and_every_failure_has_its_path() -> None:
    document = {
        "port": "${PORT}",
        "count": 5,
        "missing": "${NOPE}",
        "tables": [{"token": "${NOPE}"}, {"token": "${PORT}"}],
        "list": ["${NOPE}", "${PORT}"],
    }

    expanded, problems = expand_table(document, {"PORT": "1"})

    message = "the environment variable NOPE is not set and has no default"
    assert expanded == {"port": "1", "count": 5, "tables": [{}, {"token": "1"}], "list": ["", "1"]}
    assert problems == [
        Problem(path=path, message=message)
        for path in (("missing",), ("tables", 0, "token"), ("list", 0))
    ]
