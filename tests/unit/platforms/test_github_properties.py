"""Whatever GitHub answers: one of the item's errors, or a profile that holds nothing invented."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fakes.answers import answer
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from syncd.errors import ItemError
from syncd.model.account import Account, AccountId
from syncd.outbound.answers import Verdict
from syncd.platforms.github import judge, to_profile

# How long an example takes is the machine's affair.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

ADA = Account(id=AccountId(1), user_key="u", platform="github", handle="ada")
BY_ID = Account(id=AccountId(1), user_key="u", platform="github", handle="ada", external_id="7")
MAPPED = ("name", "avatar_url", "bio", "followers", "following", "public_repos")
KEYS = ("id", "login", "type", "suspended_at", *MAPPED)
GOOD = {
    "id": 7,
    "login": "ada",
    "type": "User",
    "name": "Ada",
    "avatar_url": "https://avatars.example/7",
    "bio": None,
    "followers": 3,
    "following": 0,
    "public_repos": 12,
}

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=2**60, max_value=2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.sampled_from(["ada", "ADA", "7", "Organization", "<html>", "\x00", "\ud800"])
)
values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))
mutations = st.dictionaries(st.sampled_from(KEYS), values)
accounts = st.sampled_from([ADA, BY_ID])


def check(data: Any, account: Account) -> None:
    try:
        profile = to_profile(data, account)
    except ItemError:
        return
    assert profile.external_id == str(data["id"]) != "0"
    assert profile.handle == data["login"] != ""
    for key in MAPPED:
        mapped, given_value = getattr(profile, key), data.get(key)
        assert mapped == given_value
        assert type(mapped) is type(given_value)
    assert profile.raw == data


@unhurried
@given(values, accounts)
def test_any_json_is_a_true_profile_or_an_item_error(data: Any, account: Account) -> None:
    check(data, account)


@unhurried
@given(mutations, st.sets(st.sampled_from(KEYS)), accounts)
def test_good_answer_with_wrong_and_missing_values_is_a_true_profile_or_an_item_error(
    wrong: dict[str, Any], missing: set[str], account: Account
) -> None:
    data = {key: value for key, value in {**GOOD, **wrong}.items() if key not in missing}

    check(data, account)


@pytest.mark.parametrize(("account", "key"), [(ADA, "login"), (BY_ID, "id")])
@unhurried
@given(value=values.filter(lambda value: value not in (7, "ada", "ADA")))
def test_no_answer_about_anybody_else_becomes_a_profile(
    account: Account, key: str, value: Any
) -> None:
    with pytest.raises(ItemError):
        to_profile({**GOOD, key: value}, account)


@unhurried
@given(st.integers(min_value=0, max_value=len(json.dumps(GOOD)) - 1))
def test_truncated_answer_is_never_a_profile(length: int) -> None:
    data = answer(body=json.dumps(GOOD).encode()[:length]).data

    with pytest.raises(ItemError):
        to_profile(data, ADA)


def nested(depth: int) -> bytes:
    return b'{"id":7,"login":"ada","bio":' + b"[" * depth + b"]" * depth + b"}"


@pytest.mark.parametrize("depth", [1, 150, 199, 201, 100_000])
def test_deep_nesting_is_an_item_error(depth: int) -> None:
    with pytest.raises(ItemError):
        to_profile(answer(body=nested(depth)).data, ADA)


@pytest.mark.parametrize("digits", [20, 400, 4300, 5000, 100_000])
def test_huge_number_is_an_item_error(digits: int) -> None:
    body = json.dumps(GOOD).replace('"followers": 3', '"followers": ' + "9" * digits)

    with pytest.raises(ItemError):
        to_profile(answer(body=body.encode()).data, ADA)


header_values = st.text(st.characters(min_codepoint=32, max_codepoint=255)) | st.sampled_from(
    ["0", "-1", "nan", "inf", "1e400", "9" * 5000, "٣", "Thu, 01 Jan 2026 00:00:08 GMT"]
)
headers = st.dictionaries(
    st.sampled_from([
        "Retry-After", "Date", "ETag", "Content-Type", "gh-limited-by",
        "x-ratelimit-remaining", "x-ratelimit-reset", "x-ratelimit-resource",
    ]),
    header_values,
)  # fmt: skip


@unhurried
@given(
    status=st.integers(min_value=100, max_value=599),
    body=st.binary(),
    given_headers=headers,
    is_authorized=st.booleans(),
)
@example(
    status=403,
    body=b'{"message":1}',
    given_headers={"Date": "Fri, 31 Dec 9999 23:59:59 GMT", "Retry-After": "nan"},
    is_authorized=True,
)
def test_every_answer_gets_a_verdict_of_finite_numbers(
    status: int, body: bytes, given_headers: dict[str, str], is_authorized: bool
) -> None:
    response = answer(status, body=body, **given_headers)

    verdict = judge(response, is_authorized=is_authorized)

    assert isinstance(verdict, Verdict)
    numbers = [verdict.pause_seconds or 0.0]
    if verdict.quota is not None:
        numbers += [verdict.quota.remaining, verdict.quota.resets_in_seconds]
    assert all(0 <= number < 10**13 for number in numbers)
