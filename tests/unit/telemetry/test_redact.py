from __future__ import annotations

import pytest

from syncd.telemetry.redact import Secrets


def secrets(*values: str) -> Secrets:
    made = Secrets()
    made.add(*values)
    return made


@pytest.mark.parametrize(
    "text",
    [
        'password is pa"ss/wörd here',
        r'{"error":"password is pa\"ss/w\u00f6rd here"}',
        "postgres://syncd:pa%22ss%2Fw%C3%B6rd@db/syncd",
    ],
)
def test_a_secret_is_found_plain_escaped_and_in_a_url(text: str) -> None:
    known = secrets('pa"ss/wörd')

    masked = known.masked(text)

    assert known.appear_in(text)
    assert "***" in masked
    assert "wörd" not in masked
    assert not known.appear_in(masked)


def test_of_two_secrets_the_longer_is_masked_first() -> None:
    masked = secrets("token", "token-of-bob").masked("uses token-of-bob")

    assert masked == "uses ***"


def test_empty_and_very_short_values_are_no_secrets() -> None:
    assert not secrets("", "abc").appear_in("abc")


def test_a_line_is_masked_in_keys_and_nested_values_and_keeps_its_numbers() -> None:
    line = {"run_id": 1234, "x-1234": "1234", "deep": {"list": ["a1234b", 1234, None]}}

    masked = secrets("1234").masked_line(line)

    assert masked == {"run_id": 1234, "x-***": "***", "deep": {"list": ["a***b", 1234, None]}}


@pytest.mark.parametrize(
    "text",
    [
        "{'Authorization': 'Bearer unknown-token-of-a-user'}",
        r'{"error":"{\"access_token\": \"unknown-token-of-a-user\"}"}',
        "refresh_token=unknown-token-of-a-user&grant_type=refresh_token",
        "Authorization: Basic dW5rbm93bi10b2tlbi1vZi1hLXVzZXI=",
        "client_secret = 'unknown-token-of-a-user'",
    ],
)
def test_what_looks_like_a_credential_is_masked_though_nobody_knows_it(text: str) -> None:
    known = secrets()

    masked = known.masked(text)

    assert known.appear_in(text)
    assert "***" in masked
    assert "unknown-token" not in masked
    assert "dW5rbm93" not in masked


@pytest.mark.parametrize(
    "text", ["basic authentication failed", "the bearer of bad news", "access_token is missing"]
)
def test_words_that_are_no_credentials_stay(text: str) -> None:
    assert not secrets().appear_in(text)
