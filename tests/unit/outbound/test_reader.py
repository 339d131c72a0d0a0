from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.errors import BadPayload, PlatformBlocked, PlatformDown
from syncd.outbound.reader import excerpt, find_failure, is_html, parse_json


@pytest.mark.parametrize(
    ("body", "data"),
    [
        (rb'"a\u0000b"', "a\ufffdb"),
        (b'"a\0b"', "a\ufffdb"),
        (rb'"\ud83d\ude00"', "😀"),
        (rb'"\uD83D\uDE00"', "😀"),
        (rb'"\ud83d"', "\ufffd"),
        (rb'"\ude00\ud83d"', "\ufffd\ufffd"),
        (rb'"\ud83d\ud83d\ude00"', "\ufffd😀"),
        (rb'"\\u0000 \\ud83d"', r"\u0000 \ud83d"),
        (rb'"\\\u0000"', "\\\ufffd"),
        (b'"\xff\xc3\xa4"', "\ufffdä"),
        (b'"\xed\xa0\x80"', "\ufffd\ufffd\ufffd"),
        (rb'{"k\u0000": 1}', {"k\ufffd": 1}),
    ],
)
def test_text_that_cannot_be_stored_is_repaired(body: bytes, data: Any) -> None:
    assert parse_json(body) == data


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=20))
def test_what_python_writes_is_read_back_with_only_the_unfit_replaced(value: Any) -> None:
    body = json.dumps(value).encode()

    data = parse_json(body)

    assert data == json.loads(json.dumps(value).replace(r"\u0000", r"\ufffd"))


@given(st.binary(max_size=200))
def test_garbage_is_a_value_error_and_nothing_else(body: bytes) -> None:
    with contextlib.suppress(ValueError):
        parse_json(body)


@pytest.mark.parametrize(
    "body",
    [
        b'{"a": NaN}',
        b"[Infinity]",
        b"[-Infinity]",
        b"[1e999]",
        b'{"a": [{"b": -1e400}]}',
        b"1" * 5_000,
        b"[" * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
        b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
        b"{} {}",
        b"{'a': 1}",
        b"captain's log",
        b"\x1f\x8b\x08",
    ],
)
def test_what_is_not_strict_json_is_a_bad_payload_with_its_position(body: bytes) -> None:
    failure = find_failure("cannot read", "application/json", body)

    assert isinstance(failure, BadPayload | PlatformDown)
    assert "number out of range" in str(failure) or "at line 1 column" in str(failure)
    assert len(str(failure)) < 320


@pytest.mark.parametrize("body", [b'{"a": 1', b'{"a": [1,2', b'"abc', b"tru"])
def test_json_that_ends_too_early_was_cut_off(body: bytes) -> None:
    assert isinstance(find_failure("cannot read", "application/json", body), PlatformDown)


@pytest.mark.parametrize("body", [b"", b" \r\n"])
def test_an_empty_body_is_a_bad_payload(body: bytes) -> None:
    assert isinstance(find_failure("cannot read", "application/json", body), BadPayload)


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("text/html; charset=utf-8", b"Just a moment..."),
        ("application/json", b"<!DOCTYPE html><title>Just a moment...</title>"),
        ("", b"\n  <HTML>"),
    ],
)
def test_a_web_page_is_known_by_its_type_or_its_beginning(content_type: str, body: bytes) -> None:
    assert is_html(content_type, body)
    assert isinstance(find_failure("cannot read", content_type, body), PlatformBlocked)


def test_good_json_has_no_failure_whatever_its_type_says() -> None:
    assert find_failure("cannot read", "text/plain", b"null") is None


@given(st.binary(max_size=400))
def test_an_excerpt_is_short_plain_text(body: bytes) -> None:
    text = excerpt(body)

    assert len(text) <= 200
    assert text.isascii()
    assert text.isprintable()
