from __future__ import annotations

import json
from typing import Any

import pytest
from fakes.answers import OneAnswer, answer

from syncd.errors import AccountNotFound, AccountUnsuitable, BadPayload, WrongAccount
from syncd.model.account import Account
from syncd.outbound.answers import Kind, Response
from syncd.outbound.credentials import Credential
from syncd.outbound.gate import Limits
from syncd.platforms.codechef import CodeChef, judge, moved_to, to_profile

BASE = "https://www.codechef.com"
OLD = {"rating": "1229", "end_date": "2023-03-01 23:00:06"}
NEW = {"rating": "1362", "end_date": "2023-03-22 23:00:06"}
TITLE = "ada | CodeChef User Profile for Ada L. | CodeChef"


def page(
    rows: Any = (OLD, NEW), *, title: str = TITLE, solved: str = "1,347", settings: Any = None
) -> str:
    ratings = {"date_versus_rating": {"all": rows}} if settings is None else settings
    told = json.dumps(ratings)
    return (
        f"<!DOCTYPE html><html><head><title>{title}</title>"
        f"<script>jQuery.extend(Drupal.settings, {told});</script></head>"
        f"<body><h3>Total Problems Solved: {solved}</h3></body></html>"
    )


def sent(text: str, status: int = 200, **headers: str) -> Response:
    return answer(status, body=text.encode(), Content_Type="text/html", **headers)


def test_page_tells_name_rating_and_solved_problems(account: Account) -> None:
    profile = to_profile(page(), account)

    assert (profile.external_id, profile.handle, profile.name) == ("ada", "ada", "Ada L.")
    assert (profile.rating, profile.solved) == (1362.0, 1347)
    assert profile.raw["rating_history"] == [OLD, NEW]


def test_newest_rating_is_the_one_of_the_contest_that_ended_last(account: Account) -> None:
    assert to_profile(page([NEW, OLD]), account).rating == 1362.0


def test_who_took_part_in_no_contest_is_unrated_and_not_zero(account: Account) -> None:
    profile = to_profile(page([], solved="0"), account)

    assert (profile.rating, profile.solved) == (None, 0)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "the page has no title of a profile: ''"),
        (page(title="Ada"), "the page has no title of a profile: 'Ada'"),
        (page(settings={}), "Drupal.settings.date_versus_rating is missing"),
        (page(settings={"date_versus_rating": {}}), "date_versus_rating.all is missing"),
        (page("none"), "date_versus_rating.all is no list but 'none'"),
        (page([{**NEW, "rating": None}]), "all[0].rating is missing"),
        (page([{**NEW, "rating": "new"}]), "all[0].rating is no number: 'new'"),
        (page([{**NEW, "end_date": "today"}]), "all[0].end_date is no date and time: 'today'"),
        (page(solved="many"), "is no whole number"),
        (page(solved="9" * 30), "is no whole number"),
        (page(solved="9" * 19), "is no count"),
        (page().replace("Total Problems", "Problems"), "0 headings 'Total Problems Solved'"),
        (page() + page(), "2 headings 'Total Problems Solved'"),
        (page().replace("Drupal.", "chef."), "the page has no Drupal.settings"),
        (page().replace("[{", "[{{", 1), "Drupal.settings of the page are no JSON"),
        ("<div>" * 100_000 + page(), "the page is nested more than 5000 levels deep"),
    ],
)
def test_page_in_another_layout_is_an_error_that_names_the_place(
    account: Account, text: str, words: str
) -> None:
    with pytest.raises(BadPayload) as raised:
        to_profile(text, account)

    assert words in str(raised.value)
    assert len(str(raised.value)) < 300


def test_page_of_somebody_else_is_refused(account: Account) -> None:
    with pytest.raises(WrongAccount, match=r"^'Ada': codechef answered about 'bo'$"):
        to_profile(page(title="bo | CodeChef User Profile for Bo | CodeChef"), account)


def test_general_page_means_that_nobody_has_the_handle(account: Account) -> None:
    title = "Competitive Programming | Participate &amp; Learn | CodeChef"

    with pytest.raises(AccountNotFound, match=r"^'Ada' does not exist on codechef$"):
        to_profile(page(title=title), account)


def test_page_of_a_team_is_unsuitable_by_its_members(account: Account) -> None:
    team = page(title="ada", settings={"teamname": "ada"}) + "<table><td><b>Member 1:</b></table>"

    with pytest.raises(AccountUnsuitable, match=r"^'Ada' is a team on codechef, not a person$"):
        to_profile(team, account)


@pytest.mark.parametrize(
    ("location", "handle"),
    [
        ("/users/ada", "ada"),
        ("https://www.codechef.com/users/ada_2/", "ada_2"),
        ("https://codechef.com/users/ada?x=1", "ada"),
    ],
)
def test_redirect_to_another_user_is_a_new_handle(
    account: Account, location: str, handle: str
) -> None:
    assert moved_to(sent("", 302, Location=location), account, BASE) == handle


@pytest.mark.parametrize(
    ("location", "error"),
    [
        ("/", AccountNotFound),
        ("/users/", AccountNotFound),
        ("/users/a/b", AccountNotFound),
        ("/teams/view/ada", AccountUnsuitable),
        ("https://example.com/users/ada", BadPayload),
        ("//example.com/users/ada", BadPayload),
        ("http://[", BadPayload),
        ("", BadPayload),
    ],
)
def test_redirect_elsewhere_is_told_for_what_it_is(
    account: Account, location: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        moved_to(sent("", 302, Location=location), account, BASE)


@pytest.mark.parametrize(
    ("response", "kind", "is_certain"),
    [
        (sent(page()), Kind.OK, False),
        (sent(page(title="x | CodeChef User Profile for Just a moment... | CodeChef")), Kind.OK,
         False),
        (sent("<title>Page not found | CodeChef</title>", 404), Kind.OK, False),
        (sent("", 302, Location="/users/login_maintenance"), Kind.OK, False),
        (sent("", 302, Location="/"), Kind.OK, False),
        (sent("", 302, Location="/login?destination=/users/ada"), Kind.BLOCKED, True),
        (sent("<html><title>Just a moment...</title>", 403), Kind.BLOCKED, True),
        (sent("<html><title>Just a moment...</title>", 200), Kind.BLOCKED, True),
        (sent("<html><title>Just a moment...</title>", 404), Kind.BLOCKED, True),
        (sent("Forbidden", 403), Kind.BLOCKED, True),
        (sent("", 401), Kind.BLOCKED, True),
        (sent("", 429), Kind.PAUSE, False),
        (sent("", 502), Kind.TRANSIENT, False),
        (sent(page()[:-20] + "Solved: 1"), Kind.TRANSIENT, False),
        (sent("<html><title>Maintenance | CodeChef</title>"), Kind.TRANSIENT, False),
    ],
)  # fmt: skip
def test_every_answer_has_its_kind(response: Response, kind: Kind, is_certain: bool) -> None:
    verdict = judge(response)

    assert (verdict.kind, verdict.is_certain) == (kind, is_certain)


async def test_page_is_asked_for_without_following_redirects(account: Account) -> None:
    client = OneAnswer(sent(page()), Credential.anonymous(), BASE)

    fetched = await CodeChef("codechef", client, Limits(rate=1)).fetch(account)

    assert fetched.profile.handle == "ada"
    assert [request.target() for request in client.asked] == ["/users/Ada"]
    assert not client.asked[0].follows_redirects


async def test_error_about_an_account_holds_a_sample_of_the_page(account: Account) -> None:
    client = OneAnswer(sent("<!DOCTYPE html><p>new</p>"), Credential.anonymous(), BASE)

    with pytest.raises(BadPayload) as raised:
        await CodeChef("codechef", client, Limits(rate=1)).fetch(account)

    assert raised.value.sample == "<!DOCTYPE html><p>new</p>"
