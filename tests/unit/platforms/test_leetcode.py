from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from fakes.answers import OneAnswer, answer
from fakes.payloads import find_recorded

from syncd.errors import AccountNotFound, BadPayload, ItemError, PlatformDown, WrongAccount
from syncd.model.account import Account
from syncd.outbound.answers import Kind, Response
from syncd.outbound.credentials import Credential
from syncd.outbound.gate import Limits
from syncd.platforms.leetcode import LeetCode, judge, to_profile

NOBODY = Credential.anonymous()


def counts(whole: int, easy: int, medium: int, hard: float) -> dict[str, Any]:
    told = {"All": whole, "Easy": easy, "Medium": medium, "Hard": hard}
    rows = [{"difficulty": name, "count": count} for name, count in told.items()]
    return {"acSubmissionNum": rows}


ADA = {
    "data": {
        "matchedUser": {
            "username": "Ada",
            "profile": {"realName": "", "userAvatar": None, "aboutMe": "x"},
            "submitStatsGlobal": counts(347, 141, 189, 17),
        },
        "userContestRanking": {"rating": 1424.607, "attendedContestsCount": 12},
    }
}


def with_user(**changes: Any) -> dict[str, Any]:
    data = ADA["data"]
    return {"data": {**data, "matchedUser": {**data["matchedUser"], **changes}}}


def asking(response: Response) -> tuple[LeetCode, OneAnswer]:
    client = OneAnswer(response, NOBODY, "https://leetcode.com")
    return LeetCode("leetcode", client, Limits(rate=1)), client


async def test_profile_is_one_question_with_the_handle_as_a_variable(account: Account) -> None:
    platform, client = asking(answer(data=ADA))

    fetched = await platform.fetch(account)

    [request] = client.asked
    assert (request.method, request.target()) == ("POST", "/graphql")
    assert request.json["variables"] == {"username": "Ada"}
    assert fetched.profile == to_profile(ADA, account)


def test_everything_is_mapped_and_what_is_blank_is_none(account: Account) -> None:
    profile = to_profile(ADA, account)

    assert (profile.external_id, profile.handle) == ("ada", "Ada")
    assert (profile.name, profile.avatar_url, profile.bio) == (None, None, "x")
    assert (profile.rating, profile.solved) == (1424.607, 347)
    assert profile.solved_by == {"easy": 141, "medium": 189, "hard": 17}
    assert profile.raw == ADA


def test_who_never_took_part_in_a_contest_has_no_rating(account: Account) -> None:
    profile = to_profile({"data": {**ADA["data"], "userContestRanking": None}}, account)

    assert (profile.rating, profile.solved) == (None, 347)


async def test_places_among_all_are_not_asked_for(account: Account) -> None:
    platform, client = asking(answer(data=ADA))

    await platform.fetch(account)

    words = client.asked[0].json["query"].split()
    assert {"ranking", "globalRanking", "topPercentage", "totalParticipants"}.isdisjoint(words)
    assert "rating" in words


@pytest.mark.parametrize("handle", ["suryansh0363", "SURYANSH0363"])
def test_recorded_user_and_recorded_lack_of_contests_become_a_profile(
    account: Account, handle: str
) -> None:
    user = find_recorded("leetcode/user_profile_suryansh0363_200_2025-12.json").json()["data"]
    unrated = find_recorded("leetcode/contest_ranking_null_200_2024-01.json").json()["data"]

    profile = to_profile({"data": {**user, **unrated}}, replace(account, handle=handle))

    assert (profile.handle, profile.name) == ("suryansh0363", "Suryansh Gupta")
    assert (profile.rating, profile.solved) == (None, 347)
    assert profile.solved_by == {"easy": 141, "medium": 189, "hard": 17}
    assert str(profile.avatar_url).startswith("https://assets.leetcode.com/users/suryansh0363/")


async def test_recorded_unknown_user_is_not_found_with_a_word_on_the_other_site(
    account: Account,
) -> None:
    recorded = find_recorded("leetcode/error_user_not_found_200.json")
    platform, _ = asking(answer(recorded.status, body=recorded.body))

    with pytest.raises(AccountNotFound, match="'Ada' does not exist on leetcode") as raised:
        await platform.fetch(account)

    assert "leetcode.cn" in str(raised.value.hint)
    assert "That user does not exist." in raised.value.sample


@pytest.mark.parametrize(("headers", "seconds"), [({}, 600), ({"Retry-After": "5"}, 5)])
def test_refusal_that_does_not_say_how_long_it_lasts_is_heeded_for_ten_minutes(
    headers: dict[str, str], seconds: float
) -> None:
    verdict = judge(answer(429, data={"detail": "Too Many Requests"}, **headers))

    assert (verdict.kind, verdict.pause_seconds) == (Kind.PAUSE, seconds)


def test_unknown_user_is_not_found_whichever_error_comes_first(account: Account) -> None:
    messages = ["ranking is not known", "That user does not exist."]
    data = {"data": {"matchedUser": None}, "errors": [{"message": words} for words in messages]}

    with pytest.raises(AccountNotFound):
        to_profile(data, account)


@pytest.mark.parametrize(
    ("data", "error"),
    [
        ({"data": {"matchedUser": None, "userContestRanking": None}}, PlatformDown),
        ({"data": None, "errors": [{"message": "Internal server error"}]}, PlatformDown),
        ({**ADA, "errors": [{"message": "rating is not known now"}]}, PlatformDown),
        ({**ADA, "errors": [{"message": "That user does not exist."}]}, PlatformDown),
        ({"errors": [{"message": 'Cannot query field "x" on type "y"'}]}, BadPayload),
        ({"errors": [7], **ADA}, BadPayload),
        ({"data": {"matchedUser": ADA["data"]["matchedUser"]}}, BadPayload),
        ({"data": {"userContestRanking": None}}, BadPayload),
        ({"data": {**ADA["data"], "userContestRanking": {}}}, BadPayload),
        ({"data": {**ADA["data"], "userContestRanking": {"rating": "1"}}}, BadPayload),
        (with_user(username=None), BadPayload),
        (with_user(username="Adaa"), WrongAccount),
        (with_user(username="\u0410da"), WrongAccount),
        (with_user(profile=None), BadPayload),
        (with_user(submitStatsGlobal=None), BadPayload),
        (with_user(submitStatsGlobal={"acSubmissionNum": []}), BadPayload),
        (with_user(submitStatsGlobal=counts(1, 0, 0, -1)), BadPayload),
        (with_user(submitStatsGlobal=counts(1, 0, 0, 1.0)), BadPayload),
        (None, BadPayload),
        ([], BadPayload),
        ({}, BadPayload),
    ],
)
def test_what_does_not_tell_of_the_user_is_never_a_profile(
    account: Account, data: Any, error: type[ItemError]
) -> None:
    with pytest.raises(error) as raised:
        to_profile(data, account)

    assert type(raised.value) is error
    assert "'Ada'" in str(raised.value)


async def test_question_that_is_refused_is_told_with_its_status(account: Account) -> None:
    platform, _ = asking(answer(400, data={"errors": [{"message": "Syntax Error"}]}))

    with pytest.raises(BadPayload, match=r"cannot read 'Ada' on leetcode: HTTP 400: .*Syntax"):
        await platform.fetch(account)


@pytest.mark.parametrize("handle", ["a", "lee215", "Java_Programmer-1", "user.name", "x" * 40])
def test_names_of_profile_addresses_are_accepted(handle: str) -> None:
    assert LeetCode.accepts(handle)


@pytest.mark.parametrize("handle", ["x" * 41, "...", "-_-", "a b", "a;b", "\u0430da"])
def test_what_no_profile_is_called_is_refused(handle: str) -> None:
    assert not LeetCode.accepts(handle)
