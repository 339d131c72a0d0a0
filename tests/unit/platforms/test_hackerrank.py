from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from fakes.answers import answer
from fakes.asked import Asked
from fakes.payloads import find_recorded

from syncd.errors import AccountNotFound, BadPayload, WrongAccount
from syncd.model.account import Account
from syncd.outbound.answers import Kind, Response
from syncd.outbound.gate import Limits
from syncd.platforms.hackerrank import HackerRank, judge
from syncd.store.profiles import hash_answer

PROFILE = "/rest/contests/master/hackers/Ada/profile"
BADGES = "/rest/hackers/Ada/badges"
ADA = {"id": 7, "username": "Ada", "name": "Ada A", "avatar": "https://a.example/7", "level": 5}
SOLVING = {"badge_name": "Problem Solving", "stars": 6, "solved": 229}
SQL = {"badge_name": "Sql", "stars": 5, "solved": 58}
GONE = {"status": False, "models": []}


def asking(answers: dict[str, Response]) -> tuple[HackerRank, Asked]:
    client = Asked(answers)
    return HackerRank("hackerrank", client, Limits(rate=1)), client


def told(model: Any = ADA, badges: Any = (SOLVING, SQL)) -> dict[str, Response]:
    return {
        PROFILE: answer(data={"model": model}),
        BADGES: answer(data={"status": True, "models": list(badges)}),
    }


async def test_profile_and_badges_become_one_profile(account: Account) -> None:
    platform, client = asking(told())

    profile = (await platform.fetch(account)).profile

    assert client.targets == [PROFILE, BADGES]
    assert (profile.external_id, profile.handle, profile.name) == ("7", "Ada", "Ada A")
    assert (profile.rating, profile.solved, profile.solved_by) == (6.0, 287, None)
    assert profile.raw["profile"]["model"] == ADA
    assert profile.raw["badges"]["models"] == [SOLVING, SQL]


async def test_recorded_badges_count_what_they_say(account: Account) -> None:
    recorded = find_recorded("hackerrank/badges_rows_trimmed.json")
    platform, _ = asking({**told(), BADGES: answer(body=recorded.body)})

    profile = (await platform.fetch(account)).profile

    assert (profile.rating, profile.solved) == (6.0, 229 + 58 + 18)


@pytest.mark.parametrize(
    ("badges", "rating", "solved"),
    [((), None, None), ((SQL,), None, 58), (({**SOLVING, "stars": 0, "solved": 0},), 0.0, 0)],
)
async def test_without_a_badge_nothing_is_known_and_nothing_is_zero(
    account: Account, badges: Any, rating: float | None, solved: int | None
) -> None:
    platform, _ = asking(told(badges=badges))

    profile = (await platform.fetch(account)).profile

    assert (profile.rating, profile.solved) == (rating, solved)


async def test_who_took_another_name_is_read_under_it(account: Account) -> None:
    platform, client = asking(
        {
            PROFILE: answer(data={"model": {**ADA, "username": "ada_new"}}),
            "/rest/hackers/ada_new/badges": answer(data={"status": True, "models": []}),
        }
    )

    profile = (await platform.fetch(replace(account, external_id="7"))).profile

    assert (profile.external_id, profile.handle) == ("7", "ada_new")
    assert len(client.targets) == 2


async def test_stranger_who_took_the_name_is_somebody_else(account: Account) -> None:
    platform, client = asking(told())

    with pytest.raises(WrongAccount, match="hackerrank answered about id 7"):
        await platform.fetch(replace(account, external_id="8"))

    assert client.targets == [PROFILE]


@pytest.mark.parametrize(
    "answers",
    [
        {PROFILE: answer(404, data={"message": "Not Found"})},
        {PROFILE: answer(404, body=b"")},
        {PROFILE: answer(data={"status": False})},
        {PROFILE: answer(404, body=b"<html>404</html>"), BADGES: answer(data=GONE)},
    ],
    ids=["404", "empty 404", "status false", "page and status false"],
)
async def test_unknown_user_is_not_found_in_whatever_form_it_is_told(
    account: Account, answers: dict[str, Response]
) -> None:
    platform, _ = asking(answers)

    with pytest.raises(AccountNotFound, match="'Ada' does not exist on hackerrank"):
        await platform.fetch(account)


@pytest.mark.parametrize("badges", [told()[BADGES], answer(404, body=b"<html>404</html>")])
async def test_page_instead_of_a_profile_says_nothing_about_a_user_whose_badges_say_no_more(
    account: Account, badges: Response
) -> None:
    page = answer(404, body=b"<html>404</html>")
    platform, _ = asking({PROFILE: page, BADGES: badges})

    with pytest.raises(BadPayload, match="a web page came instead"):
        await platform.fetch(account)


@pytest.mark.parametrize(
    "badges", [answer(data=GONE), answer(404, data={}), answer(404, body=b"<html>404</html>")]
)
async def test_who_has_a_profile_and_no_badges_is_not_gone(
    account: Account, badges: Response
) -> None:
    platform, _ = asking({**told(), BADGES: badges})

    with pytest.raises(BadPayload, match="'Ada' has no badges"):
        await platform.fetch(account)


async def test_place_among_the_others_is_kept_and_no_change(account: Account) -> None:
    profiles = [
        (await asking(told(badges=[{**SQL, "hacker_rank": rank}]))[0].fetch(account)).profile
        for rank in (100, 101)
    ]

    assert hash_answer(profiles[0]) == hash_answer(profiles[1])
    assert [profile.raw["ranks"] for profile in profiles] == [[100], [101]]


async def test_text_that_no_database_holds_is_repaired(account: Account) -> None:
    body = b'{"model":{"id":7,"username":"Ada","name":"A\\u0000da"}}'
    platform, _ = asking({**told(), PROFILE: answer(body=body)})

    profile = (await platform.fetch(account)).profile

    assert profile.name == "A\N{REPLACEMENT CHARACTER}da"


@pytest.mark.parametrize(
    ("model", "badges", "place"),
    [
        (None, (), r"\$\.model is missing"),
        ([], (), r"\$\.model is no object"),
        ({**ADA, "id": None}, (), r"\$\.model\.id is missing"),
        ({**ADA, "id": "7"}, (), r"\$\.model\.id is no whole number"),
        ({**ADA, "id": 0}, (), "tells no person"),
        ({**ADA, "username": ""}, (), r"\$\.model\.username is missing"),
        ({**ADA, "username": "../x"}, (), "tells no person"),
        (ADA, [7], r"\$\.models\[0\] is no object"),
        (ADA, [{"stars": 1, "solved": 3}], r"\$\.models\[0\]\.badge_name is missing"),
        (ADA, [{**SQL, "solved": None}], r"\$\.models\[0\]\.solved is missing"),
        (ADA, [{**SQL, "solved": "3"}], r"\$\.models\[0\]\.solved is no whole number"),
        (ADA, [{**SOLVING, "stars": 7}], r"\$\.models\[0\]\.stars is no number of stars up to 6"),
    ],
)
async def test_wrong_value_is_that_accounts_error_and_names_its_place(
    account: Account, model: Any, badges: Any, place: str
) -> None:
    platform, _ = asking(told(model, badges))

    with pytest.raises(BadPayload, match=place) as raised:
        await platform.fetch(account)

    assert raised.value.sample.startswith('{"')


async def test_badges_without_a_list_are_a_changed_answer(account: Account) -> None:
    platform, _ = asking({**told(), BADGES: answer(data={"status": True})})

    with pytest.raises(BadPayload, match=r"\$\.models is missing"):
        await platform.fetch(account)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (404, b"<html>404</html>", Kind.OK),
        (404, b"<html>Just a moment...</html>", Kind.BLOCKED),
        (403, b"no", Kind.BLOCKED),
        (429, b"{}", Kind.PAUSE),
        (502, b"<html>502</html>", Kind.TRANSIENT),
    ],
)
def test_not_found_is_about_the_user_unless_it_is_a_challenge(
    status: int, body: bytes, kind: Kind
) -> None:
    verdict = judge(answer(status, body=body))

    assert (verdict.kind, verdict.is_certain) == (kind, kind is Kind.BLOCKED)
