from __future__ import annotations

from typing import Any

import pytest
from fakes.answers import answer

from syncd.errors import AccountNotFound, BadPayload, WrongAccount
from syncd.model.account import Account
from syncd.outbound.answers import Kind, Response
from syncd.platforms.atcoder import judge, read_handle, to_profile


def row(rating: Any = 2733, day: str = "2017-05-27", *, is_rated: Any = True) -> dict[str, Any]:
    return {"IsRated": is_rated, "NewRating": rating, "EndTime": f"{day}T22:50:00+09:00"}


def count(accepted: Any = 722, user_id: str = "Ada", **more: Any) -> dict[str, Any]:
    return {"user_id": user_id, "accepted_count": accepted, "rated_point_sum": 149500.0, **more}


def sent(text: str, status: int = 200) -> Response:
    return answer(status, body=text.encode(), Content_Type="text/html")


def user_page(handle: str) -> str:
    link = f'<a href="/users/{handle}" class="username"><span>{handle}</span></a>'
    return f"<!DOCTYPE html><html><title>{handle} - AtCoder</title><h3>{link}</h3></html>"


def test_rating_is_the_one_after_the_last_rated_contest(account: Account) -> None:
    history = [row(1200, "2016-01-01"), row(), row(9, "2018-01-01", is_rated=False)]

    profile = to_profile(history, count(), account)

    assert (profile.rating, profile.solved) == (2733.0, 722)
    assert (profile.external_id, profile.handle) == ("ada", "Ada")


@pytest.mark.parametrize("history", [[], [row(is_rated=False)]])
def test_who_was_never_rated_has_no_rating_and_not_zero(account: Account, history: Any) -> None:
    assert to_profile(history, count(), account).rating is None


def test_zero_solved_says_that_nobody_knows(account: Account) -> None:
    assert to_profile([row()], count(0), account).solved is None


def test_rank_among_the_others_is_kept_apart_as_what_moves_by_itself(account: Account) -> None:
    profile = to_profile([row()], count(accepted_count_rank=187), account)

    assert profile.raw["ranks"] == {"accepted_count_rank": 187}
    assert profile.raw["problems"] == count()
    assert profile.volatile == {"ranks"}


@pytest.mark.parametrize(
    ("history", "words"),
    [
        (None, "$ is no list but None"),
        ({}, "$ is no list but {}"),
        (["abc"], "$[0] is no object but 'abc'"),
        ([{}], "$[0].IsRated is missing"),
        ([row(is_rated="yes")], "$[0].IsRated is no true or false: 'yes'"),
        ([row("2733")], "$[0].NewRating is no whole number: '2733'"),
        ([row(rating=True)], "$[0].NewRating is no whole number: True"),
        ([row(None)], "$[0].NewRating is missing"),
        ([row(day="soon")], "$[0].EndTime is no date and time: 'soonT22:50:00+09:00'"),
        ([{**row(), "EndTime": "2017-05-27"}], "$[0].EndTime is no date and time with its zone"),
    ],
)
def test_odd_history_is_refused_with_the_place(account: Account, history: Any, words: str) -> None:
    with pytest.raises(BadPayload) as raised:
        to_profile(history, count(), account)

    assert str(raised.value).startswith(f"'Ada': {words}")


@pytest.mark.parametrize("problems", [None, [], {}, {"user_id": "ada"}, count("7"), count(-1)])
def test_odd_count_is_refused(account: Account, problems: Any) -> None:
    with pytest.raises(BadPayload):
        to_profile([row()], problems, account)


def test_count_of_somebody_else_is_refused(account: Account) -> None:
    with pytest.raises(WrongAccount, match=r"^'Ada': AtCoder Problems answered about 'bo'$"):
        to_profile([row()], count(user_id="bo"), account)


def test_page_tells_how_the_handle_is_spelled(account: Account) -> None:
    assert read_handle(sent(user_page("aDa")), account) == "aDa"


@pytest.mark.parametrize(
    ("response", "error"),
    [
        (sent("404", 404), AccountNotFound),
        (sent(user_page("bo")), WrongAccount),
        (sent("<!DOCTYPE html><title>ada - AtCoder</title>"), BadPayload),
        (sent("", 302), BadPayload),
    ],
)
def test_other_page_is_told_for_what_it_is(
    account: Account, response: Response, error: type[Exception]
) -> None:
    with pytest.raises(error):
        read_handle(response, account)


@pytest.mark.parametrize(
    ("response", "kind", "is_certain"),
    [
        (answer(data=[]), Kind.OK, False),
        (sent(user_page("ada")), Kind.OK, False),
        (sent("<html><title>404 Not Found - AtCoder</title>", 404), Kind.OK, False),
        (sent("<html><title>Sign In - AtCoder</title>"), Kind.BLOCKED, True),
        (sent("<html><title>Just a moment...</title>", 404), Kind.BLOCKED, True),
        (answer(403, body=b"Forbidden"), Kind.BLOCKED, True),
        (answer(429), Kind.PAUSE, False),
        (sent("<html><title>503 - AtCoder</title>", 503), Kind.TRANSIENT, False),
    ],
)
def test_every_answer_has_its_kind(response: Response, kind: Kind, is_certain: bool) -> None:
    verdict = judge(response)

    assert (verdict.kind, verdict.is_certain) == (kind, is_certain)
