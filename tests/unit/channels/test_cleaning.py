"""Names and links from outside, before anybody reads them."""

from __future__ import annotations

import unicodedata

import pytest
from fakes.messages import POISON
from hypothesis import given
from hypothesis import strategies as st

from syncd.channels.cleaning import cleaned, safe_url

NO_LINKS = [
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "ftp://example.org/x",
    "//example.org/x",
    "/contest/1",
    "",
    "https://",
    "https:///x",
    "https://me:secret@example.org/",
    "https://example.org/a b",
    "https://example.org/\r\nBcc: eve@example.net",
    'https://example.org/"onmouseover="alert(1)',
    "https://example.org/<b>",
    "https://example.org\\@evil.example",
    "https://[::1/x",
    "https://example.org:0/x",
    "https://example.org:99999/x",
    "https://ex\u0430mple.org/x",
    "https://example.org/" + "x" * 2_000,
]


@pytest.mark.parametrize("name", POISON.values(), ids=POISON)
def test_a_poisoned_name_is_one_line_that_can_be_seen_and_encoded(name: str) -> None:
    text = cleaned(name)

    assert text.encode().decode() == text
    assert len(text) <= 200
    assert {unicodedata.category(letter) for letter in text} & {
        *("Cc", "Cf", "Cs", "Zl", "Zp")
    } == set()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Codeforces Round 1 (Div. 2)", "Codeforces Round 1 (Div. 2)"),
        ("  AtCoder   Beginner\nContest ", "AtCoder Beginner Contest"),
        ("a\u2028b\u2029c", "a b c"),
        ("\u202eabc\u202c", "abc"),
        ("z\u200be\u200br\u200bo", "zero"),
        ("x\ud800y", "x\ufffdy"),
        ("x" * 10_240, "x" * 199 + "…"),
        ("日本語コンテスト", "日本語コンテスト"),
        (
            "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
            "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
        ),
        ("👩\u200d💻 Cup", "👩\u200d💻 Cup"),
        ("a\u200db\u200c", "ab"),
        ("e" + "\u0301" * 50, "\u00e9" + "\u0301" * 3),
    ],
)
def test_what_people_write_stays_and_what_hides_goes(name: str, text: str) -> None:
    assert cleaned(name) == text


@given(st.text(st.characters(exclude_categories=()), max_size=400))
def test_cleaning_twice_changes_nothing_more(name: str) -> None:
    once = cleaned(name)

    assert cleaned(once) == once
    assert once == once.strip()
    assert "\n" not in once
    once.encode()


@pytest.mark.parametrize("url", NO_LINKS)
def test_what_is_no_plain_link_to_the_web_is_dropped(url: str) -> None:
    assert safe_url(url) == ""


@pytest.mark.parametrize(
    "url", ["https://codeforces.com/contests/1?a=b&c=%20#d", "http://127.0.0.1:8080/x"]
)
def test_a_link_to_the_web_stays_as_it_is(url: str) -> None:
    assert safe_url(url) == url
