from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from fakes.answers import OneAnswer, answer

from syncd.errors import AccountNotFound, AccountUnsuitable, BadPayload
from syncd.model.account import Account
from syncd.model.profile import Fetched, Unchanged
from syncd.outbound.answers import Kind, Response, Verdict
from syncd.outbound.credentials import Credential
from syncd.outbound.limits import Limits
from syncd.outbound.quota import QuotaReport
from syncd.platforms.github import GitHub, judge, to_profile

MINE = Credential.bearer("main", "ghp_one")
ADA = {"id": 7, "login": "ada", "type": "User", "name": "Ada", "followers": 3, "plan": {"x": 1}}
RESET_IN_90 = "1767225690"  # the clock's start is 1767225600
PAGE = b"<!DOCTYPE html><html></html>"


def asking(response: Response, credential: Credential = MINE) -> tuple[GitHub, OneAnswer]:
    client = OneAnswer(response, credential)
    return GitHub("github", client, Limits(rate=1)), client


async def test_unknown_account_is_asked_for_by_login(account: Account) -> None:
    platform, client = asking(answer(data=ADA, ETag='"a"'))

    fetched = await platform.fetch(account)

    assert [request.target() for request in client.asked] == ["/users/Ada"]
    assert isinstance(fetched, Fetched)
    assert (fetched.profile.external_id, fetched.profile.handle) == ("7", "ada")
    assert (fetched.etag, fetched.etag_credential) == ('"a"', MINE.fingerprint)


async def test_known_account_is_asked_for_by_id(account: Account) -> None:
    platform, client = asking(answer(data={**ADA, "login": "ada-renamed"}))

    fetched = await platform.fetch(replace(account, external_id="7"))

    assert [request.target() for request in client.asked] == ["/user/7"]
    assert isinstance(fetched, Fetched)
    assert fetched.profile.handle == "ada-renamed"


async def test_login_of_a_bot_is_percent_encoded(account: Account) -> None:
    platform, client = asking(answer(data={**ADA, "login": "shipit[bot]", "type": "Bot"}))

    await platform.fetch(replace(account, handle="shipit[bot]"))

    assert [request.target() for request in client.asked] == ["/users/shipit%5Bbot%5D"]


async def test_etag_is_sent_with_the_credential_it_came_with(account: Account) -> None:
    platform, client = asking(answer(304))
    known = replace(account, external_id="7", etag='"a"', etag_credential=MINE.fingerprint)

    unchanged = await platform.fetch(known)

    assert isinstance(unchanged, Unchanged)
    assert client.asked[0].headers == {"If-None-Match": '"a"'}


@pytest.mark.parametrize("credential", [Credential.bearer("main", "two"), Credential.anonymous()])
async def test_etag_is_not_sent_with_another_credential(
    account: Account, credential: Credential
) -> None:
    platform, client = asking(answer(data=ADA), credential)
    known = replace(account, external_id="7", etag='"a"', etag_credential=MINE.fingerprint)

    await platform.fetch(known)

    assert client.asked[0].headers == {}


async def test_not_modified_without_having_asked_for_it_is_a_bad_answer(account: Account) -> None:
    platform, _ = asking(answer(304))

    with pytest.raises(BadPayload, match="HTTP 304"):
        await platform.fetch(account)


@pytest.mark.parametrize("status", [404, 410])
async def test_missing_account_is_not_found(account: Account, status: int) -> None:
    platform, _ = asking(answer(status, {"message": "Not Found"}))

    with pytest.raises(AccountNotFound, match=r"^'Ada' does not exist on github$"):
        await platform.fetch(account)


@pytest.mark.parametrize("status", [201, 202, 204, 206, 300, 400, 409, 418, 422, 451])
async def test_answer_that_nobody_documents_is_bad(account: Account, status: int) -> None:
    platform, _ = asking(answer(status, ADA))

    with pytest.raises(BadPayload, match=f"HTTP {status}$"):
        await platform.fetch(account)


def test_profile_holds_the_mapped_fields_and_the_whole_answer(account: Account) -> None:
    profile = to_profile(ADA, account)

    assert (profile.name, profile.followers, profile.bio, profile.public_repos) == (
        "Ada",
        3,
        None,
        None,
    )
    assert profile.raw == ADA


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (None, "the answer is no object but NoneType"),
        ([], "the answer is no object but list"),
        ("ada", "the answer is no object but str"),
        ({}, "$.id is missing"),
        ({"login": "ada"}, "$.id is missing"),
        ({"id": 7}, "$.login is missing"),
        ({"id": 7, "login": ""}, "$.login is missing"),
        ({"id": 0, "login": "ada"}, "$.id is missing"),
        ({"id": None, "login": "ada"}, "$.id is missing"),
        ({"id": "7", "login": "ada"}, "$.id is no int: '7'"),
        ({"id": True, "login": "ada"}, "$.id is no int: 'True'"),
        ({"id": 7.0, "login": "ada"}, "$.id is no int: '7.0'"),
        ({"id": -7, "login": "ada"}, "$.id is out of range: -7"),
        ({"id": 2**63, "login": "ada"}, "$.id is out of range: 9223372036854775808"),
        ({"id": 7, "login": "bo"}, "github answered about 'bo'"),
        ({**ADA, "followers": "3"}, "$.followers is no int: '3'"),
        ({**ADA, "followers": 3.5}, "$.followers is no int: '3.5'"),
        ({**ADA, "following": -1}, "$.following is out of range: -1"),
        ({**ADA, "bio": 5}, "$.bio is no str: '5'"),
        ({**ADA, "name": ["x" * 500]}, f"$.name is no str: {str(['x' * 500])[:50]!r}"),
    ],
)
def test_odd_answer_is_refused_with_the_place_of_what_is_odd(
    account: Account, data: Any, words: str
) -> None:
    with pytest.raises(BadPayload) as raised:
        to_profile(data, account)

    assert str(raised.value) == f"'Ada': {words}"


def test_answer_about_another_id_is_refused_whatever_its_login(account: Account) -> None:
    with pytest.raises(BadPayload, match=r"^'Ada': github answered about id 7$"):
        to_profile({**ADA, "login": "a" * 10_000}, replace(account, external_id="8"))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"type": "Organization"}, "'Ada' is an organization, not a person"),
        ({"suspended_at": "2024-08-08T00:00:00Z"}, "'Ada' is suspended on github"),
    ],
)
def test_organization_and_suspended_user_are_unsuitable(
    account: Account, fields: dict[str, Any], words: str
) -> None:
    with pytest.raises(AccountUnsuitable) as raised:
        to_profile({**ADA, **fields}, account)

    assert str(raised.value) == words


SECONDARY = {"message": "You have exceeded a secondary rate limit."}
ABUSE = {"message": "You have triggered an abuse detection mechanism."}
PRIMARY = {"message": "API rate limit exceeded for user ID 1."}


@pytest.mark.parametrize("status", [403, 429])
@pytest.mark.parametrize(
    ("response", "cause", "seconds"),
    [
        ({"data": SECONDARY, "Retry_After": "30"}, "secondary limit", 30),
        ({"data": ABUSE, "Retry_After": "60"}, "secondary limit", 60),
        ({"data": SECONDARY}, "secondary limit", None),
        ({"data": {}, "gh_limited_by": "points"}, "secondary limit", None),
        ({"data": {}, "Retry_After": "5"}, "secondary limit", 5),
        ({"data": {}, "Retry_After": "Thu, 01 Jan 2026 00:00:08 GMT"}, "secondary limit", 8),
        ({"data": {}, "Retry_After": "0"}, "secondary limit", 0),
        ({"data": {}, "Retry_After": "Thu, 01 Jan 2026 00:00:00 GMT"}, "secondary limit", 0),
        ({"data": PRIMARY}, "quota used up", None),
        ({"data": {}, "x_ratelimit_remaining": "0"}, "quota used up", None),
        (
            {"data": {}, "x_ratelimit_remaining": "0", "x_ratelimit_reset": RESET_IN_90},
            "quota used up",
            91,
        ),
    ],
)
def test_every_form_of_a_limit_pauses(
    status: int, response: dict[str, Any], cause: str, seconds: float | None
) -> None:
    verdict = judge(answer(status, **response), is_authorized=True)

    assert (verdict.kind, verdict.cause) == (Kind.PAUSE, cause)
    assert verdict.pause_seconds == seconds


def test_429_without_a_word_pauses() -> None:
    verdict = judge(answer(429), is_authorized=True)

    assert verdict == Verdict(kind=Kind.PAUSE, cause="HTTP 429")


@pytest.mark.parametrize(
    ("response", "kind"),
    [
        (answer(403, {"message": "Sorry. Your account was suspended."}), Kind.REJECTED),
        (answer(403, {"message": "This installation has been suspended"}), Kind.REJECTED),
        (answer(403, {"message": "Resource not accessible by integration"}), Kind.REJECTED),
        (answer(403, {"message": "Forbidden"}), Kind.BLOCKED),
        (answer(403, body=PAGE, Content_Type="text/html"), Kind.BLOCKED),
        (answer(403, body=b"Request forbidden by administrative rules."), Kind.BLOCKED),
        (answer(403), Kind.BLOCKED),
        (answer(401, {"message": "Bad credentials"}), Kind.REJECTED),
        (answer(404, {"message": "Not Found"}), Kind.OK),
        (answer(404, body=PAGE, Content_Type="text/html"), Kind.BLOCKED),
        (answer(404, body=b"no such host"), Kind.BLOCKED),
        (answer(404), Kind.BLOCKED),
        (answer(408, body=PAGE, Content_Type="text/html"), Kind.TRANSIENT),
        (answer(500, {"error": "Server Error"}), Kind.TRANSIENT),
        (answer(502, body=PAGE, Content_Type="text/html"), Kind.TRANSIENT),
        (answer(503, Retry_After="7"), Kind.PAUSE),
        (answer(200, ADA), Kind.OK),
        (answer(304), Kind.OK),
    ],
)
def test_every_other_answer_has_its_kind(response: Response, kind: Kind) -> None:
    assert judge(response, is_authorized=True).kind is kind


@pytest.mark.parametrize(("is_authorized", "is_free"), [(True, True), (False, False)])
def test_not_modified_is_free_for_those_with_a_credential(
    is_authorized: bool, is_free: bool
) -> None:
    assert judge(answer(304), is_authorized=is_authorized).is_free is is_free


@pytest.mark.parametrize("status", [200, 304, 403, 404, 429])
def test_quota_is_read_from_every_answer(status: int) -> None:
    response = answer(
        status, {"message": ""}, x_ratelimit_remaining="17", x_ratelimit_reset=RESET_IN_90
    )

    verdict = judge(response, is_authorized=True)

    assert verdict.quota == QuotaReport(remaining=17, resets_in_seconds=90)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x_ratelimit_remaining": "17"},
        {"x_ratelimit_reset": RESET_IN_90},
        {"x_ratelimit_remaining": "17", "x_ratelimit_reset": "nan"},
        {"x_ratelimit_remaining": "17", "x_ratelimit_reset": "inf"},
        {"x_ratelimit_remaining": "17", "x_ratelimit_reset": "9" * 400},
        {"x_ratelimit_remaining": "-17", "x_ratelimit_reset": RESET_IN_90},
        {"x_ratelimit_remaining": "", "x_ratelimit_reset": RESET_IN_90},
    ],
)
def test_headers_that_make_no_sense_are_passed_over(headers: dict[str, str]) -> None:
    assert judge(answer(200, ADA, **headers), is_authorized=True).quota is None


def test_what_is_left_is_told_of_the_resource_it_is_of() -> None:
    headers = {"x_ratelimit_remaining": "0", "x_ratelimit_reset": RESET_IN_90}

    verdict = judge(answer(200, ADA, x_ratelimit_resource="search", **headers), is_authorized=True)

    assert verdict.quota is not None
    assert verdict.quota.resource == "search"


@pytest.mark.parametrize(
    "handle",
    ["a", "Ada-Lovelace", "a" * 39, "0day", "old-", "two--hyphens", "shipit[bot]", "ada_corp"],
)
def test_logins_of_every_kind_are_accepted(handle: str) -> None:
    assert GitHub.accepts(handle)


@pytest.mark.parametrize("handle", ["-a", "a" * 51, "a.b", "a[bot]x", "[bot]", "@ada", "a_b_c"])
def test_what_no_login_looks_like_is_refused(handle: str) -> None:
    assert not GitHub.accepts(handle)
