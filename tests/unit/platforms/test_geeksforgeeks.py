from __future__ import annotations

from typing import Any

import pytest
from fakes.answers import OneAnswer, answer

from syncd.errors import AccountNotFound, BadPayload
from syncd.model.account import Account
from syncd.outbound.answers import Kind, Response
from syncd.outbound.credentials import Credential
from syncd.outbound.gate import Limits
from syncd.platforms.geeksforgeeks import GeeksForGeeks, judge, moved_to, read_answer, to_profile

BASE = "http://127.0.0.1:8080"
DATA = {"name": "Ada", "total_problems_solved": 342, "institute_rank": "7", "score": 850}


def test_answer_tells_name_and_solved_problems_and_no_rating(account: Account) -> None:
    profile = to_profile({"message": "ok", "data": DATA}, account)

    assert (profile.external_id, profile.handle, profile.name) == ("ada", "Ada", "Ada")
    assert (profile.rating, profile.solved) == (None, 342)


def test_rank_among_the_others_is_kept_apart_as_what_moves_by_itself(account: Account) -> None:
    profile = to_profile({"message": "ok", "data": DATA}, account)

    assert profile.raw["ranks"] == {"institute_rank": "7"}
    assert "institute_rank" not in profile.raw["data"]
    assert profile.volatile == {"ranks"}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (None, "$ is no object but None"),
        ({}, "$.data is missing"),
        ({"data": []}, "$.data is no object but []"),
        ({"data": {}}, "$.data.total_problems_solved is missing"),
        ({"data": {**DATA, "total_problems_solved": "342"}}, "is no whole number: '342'"),
        ({"data": {**DATA, "total_problems_solved": -1}}, "is no count: -1"),
        ({"data": {**DATA, "name": 7}}, "$.data.name is no text: 7"),
    ],
)
def test_odd_answer_is_refused_with_the_place(account: Account, data: Any, words: str) -> None:
    with pytest.raises(BadPayload) as raised:
        to_profile(data, account)

    assert words in str(raised.value)


@pytest.mark.parametrize("status", [400, 404, 406])
@pytest.mark.parametrize("message", ["User not found!", "Please enter valid User Details"])
def test_unknown_user_is_told_in_words(account: Account, status: int, message: str) -> None:
    with pytest.raises(AccountNotFound, match=r"^'Ada' does not exist on geeksforgeeks$"):
        read_answer(answer(status, {"message": message}), account, "Ada")


@pytest.mark.parametrize(
    "response",
    [
        answer(400, {"message": "Invalid request"}),
        answer(404, {"message": None}),
        answer(404, {}),
        answer(405, {"message": "User not found"}),
        answer(422, {"message": "User not found"}),
        answer(201, {"message": "ok", "data": DATA}),
    ],
)
def test_any_other_failure_makes_nobody_unknown(account: Account, response: Response) -> None:
    with pytest.raises(BadPayload):
        read_answer(response, account, "Ada")


@pytest.mark.parametrize(
    "response",
    [
        answer(307, Location="/api-get/user-profile-info/?handle=bo"),
        answer(307, Location="https://www.geeksforgeeks.org/user/bo/"),
        answer(308, Location="https://www.geeksforgeeks.org/profile/bo?tab=activity"),
        answer(308, Location="https://auth.geeksforgeeks.org/user/bo"),
        answer(307, Location="http://127.0.0.1:8080/user/bo/"),
        answer(200, {"pageProps": {
            "__N_REDIRECT": "https://www.geeksforgeeks.org/user/bo/", "__N_REDIRECT_STATUS": 307,
        }}),
    ],
)  # fmt: skip
def test_redirect_tells_the_new_handle(account: Account, response: Response) -> None:
    assert moved_to(response, account, BASE) == "bo"


@pytest.mark.parametrize(
    "response",
    [
        answer(307),
        answer(307, Location="https://www.geeksforgeeks.org/"),
        answer(307, Location="http://["),
        answer(307, Location="https://elsewhere.example/user/bo/"),
        answer(307, Location="//elsewhere.example/api-get/user-profile-info/?handle=bo"),
        answer(307, Location="https://notgeeksforgeeks.org/user/bo/"),
        answer(200, {"pageProps": {"__N_REDIRECT": "https://elsewhere.example/user/bo/"}}),
        answer(307, Location="/?handle=a%2Fb"),
        answer(200, {"pageProps": {}}),
        answer(200, {"pageProps": {"__N_REDIRECT": 7}}),
    ],
)
def test_redirect_to_no_user_is_an_error(account: Account, response: Response) -> None:
    with pytest.raises(BadPayload):
        moved_to(response, account, BASE)


@pytest.mark.parametrize(
    ("response", "kind"),
    [
        (answer(data={"data": DATA}), Kind.OK),
        (answer(404, {"message": "User not found"}), Kind.OK),
        (answer(404, body=b"no such host"), Kind.BLOCKED),
        (answer(403, {"message": "Forbidden"}), Kind.BLOCKED),
        (answer(body=b"<html></html>"), Kind.BLOCKED),
        (answer(429, {}), Kind.PAUSE),
        (answer(503, body=b"<html></html>"), Kind.TRANSIENT),
    ],
)
def test_every_answer_has_its_kind(response: Response, kind: Kind) -> None:
    verdict = judge(response)

    is_own = isinstance(response.data, dict)
    assert verdict.kind is kind
    assert verdict.is_certain is (kind is Kind.BLOCKED and not is_own)


async def test_address_is_spelled_as_the_site_spells_it(account: Account) -> None:
    client = OneAnswer(answer(data={"data": DATA}), Credential.anonymous())

    await GeeksForGeeks("geeksforgeeks", client, Limits(rate=1)).fetch(account)

    targets = [request.target() for request in client.asked]
    assert targets == ["/api-get/user-profile-info/?handle=Ada"]
    assert GeeksForGeeks.headers["Origin"] == "https://www.geeksforgeeks.org"
