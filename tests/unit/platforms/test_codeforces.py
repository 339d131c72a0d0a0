from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from fakes.answers import answer
from fakes.payloads import find_recorded

from syncd.errors import (
    AccountNotFound,
    BadPayload,
    ItemError,
    PlatformBlocked,
    PlatformDown,
    RateLimited,
    SyncdError,
)
from syncd.model.account import Account, AccountId
from syncd.model.profile import Fetched
from syncd.outbound.answers import Kind, Response
from syncd.outbound.gate import Limits
from syncd.outbound.request import Request
from syncd.platforms.codeforces import Codeforces, judge, to_profile
from syncd.store.profiles import hash_answer

LIMITED = {"status": "FAILED", "comment": "Call limit exceeded"}
COOKIE = b'<html><script>document.cookie="RCPC="+toHex(slowAES.decrypt(c,2,a,b))</script></html>'
PAGE = b"<!DOCTYPE html><html><head><title>Ada - Codeforces</title></head></html>"
BLOCKED = PlatformBlocked("cannot GET /profile: a challenge page")


class Service:
    """Codeforces as far as it matters here: who exists, and where the pages of others lead.

    `pages` says where the page of a handle leads, what it answers, or what is raised; `spoilt` are
    the handles that fail a call without being named, `merged` those that are told of by one row.
    """

    def __init__(self, *handles: str, pages: Mapping[str, Any] | None = None) -> None:
        self.rows = {handle.lower(): {"handle": handle, "rating": 1500} for handle in handles}
        self.pages = pages or {}
        self.spoilt: set[str] = set()
        self.merged: set[str] = set()
        self.calls: list[list[str]] = []
        self.paged: list[str] = []

    async def request(self, request: Request) -> Response:
        if request.segments[0] == "profile":
            assert not request.follows_redirects
            return self._page(request.segments[1])
        query = parse_qs(urlsplit(request.target()).query)
        assert query["lang"] == ["en"]
        handles = query["handles"][0].split(";")
        self.calls.append(handles)
        if self.spoilt.intersection(handles):
            return answer(400, data={"status": "FAILED", "comment": "handles: Incorrect"})
        for handle in handles:
            if handle.lower() not in self.rows:
                comment = f"handles: User with handle {handle} not found"
                return answer(400, data={"status": "FAILED", "comment": comment})
        rows = [self.rows[handle.lower()] for handle in handles]
        if {handle.lower() for handle in handles} >= self.merged > set():
            del rows[-1]
        return answer(data={"status": "OK", "result": rows})

    def _page(self, handle: str) -> Response:
        self.paged.append(handle)
        found = self.pages.get(handle, "/")
        if isinstance(found, SyncdError):
            raise found
        return found if isinstance(found, Response) else answer(302, Location=found)


def accounts(*handles: str) -> list[Account]:
    return [
        Account(id=AccountId(number), user_key="u", platform="codeforces", handle=handle)
        for number, handle in enumerate(handles)
    ]


async def asked(service: Service, *handles: str) -> list[str]:
    """Fetch all at once; return for each the handle of the profile or the name of the error."""
    platform = Codeforces("codeforces", service, Limits(rate=1))
    given = accounts(*handles)
    found = await platform.fetch_many(given)
    assert found.keys() == {account.id for account in given}
    return [
        each.profile.handle if isinstance(each, Fetched) else type(each).__name__
        for each in (found[account.id] for account in given)
    ]


async def test_all_are_asked_for_in_one_call_in_any_spelling() -> None:
    service = Service("Ada", "Bo", "Chi")

    assert await asked(service, "ada", "BO", "Chi") == ["Ada", "Bo", "Chi"]
    assert service.calls == [["ada", "BO", "Chi"]]
    assert service.paged == []


async def test_handle_that_is_linked_twice_is_asked_for_once() -> None:
    service = Service("Ada")

    assert await asked(service, "ada", "Ada") == ["Ada", "Ada"]
    assert service.calls == [["ada"]]


async def test_who_is_gone_costs_the_others_nothing() -> None:
    service = Service("Ada", "Chi")

    found = await asked(service, "gone", "Ada", "away", "Chi")

    assert found == ["AccountNotFound", "Ada", "AccountNotFound", "Chi"]
    assert service.calls[-1] == ["Ada", "Chi"]
    assert (len(service.calls), service.paged) == (3, ["gone", "away"])


@pytest.mark.parametrize("location", ["/profile/AdaNew", "https://codeforces.com/profile/AdaNew"])
async def test_who_was_renamed_is_read_under_the_new_handle(location: str) -> None:
    service = Service("AdaNew", "Bo", pages={"Ada": location})

    assert await asked(service, "Ada", "Bo") == ["AdaNew", "Bo"]
    assert service.calls[-1] == ["Bo", "AdaNew"]


async def test_who_was_renamed_twice_is_followed() -> None:
    service = Service("C3x", pages={"A1x": "/profile/B2x", "B2x": "/profile/C3x"})

    assert await asked(service, "A1x") == ["C3x"]


async def test_pages_that_lead_in_a_circle_come_to_an_end() -> None:
    service = Service("Bo", pages={"A1x": "/profile/B2x", "B2x": "/profile/A1x"})

    assert await asked(service, "A1x", "Bo") == ["BadPayload", "Bo"]
    assert len(service.calls) <= 9


@pytest.mark.parametrize(
    "page",
    ["/enter?back=%2Fprofile%2Fgone", "/profile/a%2Fb", "//", answer(404), answer(302), BLOCKED],
)
async def test_page_that_says_nothing_leaves_it_at_the_words_of_the_api(page: Any) -> None:
    service = Service("Ada", pages={"gone": page})

    assert await asked(service, "gone", "Ada") == ["AccountNotFound", "Ada"]


async def test_pages_that_are_a_challenge_are_not_asked_for_again_and_again() -> None:
    pages = dict.fromkeys(("Bo", "Cy", "Di"), BLOCKED)
    service = Service("Ada", pages=pages)

    assert await asked(service, "Bo", "Cy", "Di", "Ada") == [*["AccountNotFound"] * 3, "Ada"]
    assert service.paged == ["Bo"]


async def test_who_has_a_page_is_not_declared_gone() -> None:
    service = Service("Ada", pages={"odd": answer(body=PAGE)})

    assert await asked(service, "odd", "Ada") == ["BadPayload", "Ada"]


async def test_pause_during_the_search_for_a_handle_is_the_platforms() -> None:
    pause = RateLimited("call limit exceeded", until=answer().received_at)
    service = Service("Ada", pages={"gone": pause})

    with pytest.raises(RateLimited):
        await asked(service, "gone", "Ada")


async def test_handle_that_spoils_the_call_unnamed_is_found_and_costs_nobody_else() -> None:
    names = [f"user{number}" for number in range(20)]
    service = Service(*names)
    service.spoilt = {"user7"}

    found = await asked(service, *names)

    assert found == [name if name != "user7" else "BadPayload" for name in names]
    assert len(service.calls) <= 11


async def test_two_handles_of_one_person_that_are_told_of_once_cost_nobody_else() -> None:
    service = Service("Ada", "Bo", "Cy", "Di", "Ed")
    service.merged = {"ada", "cy"}

    assert await asked(service, "Ada", "Bo", "Cy", "Di", "Ed") == ["Ada", "Bo", "Cy", "Di", "Ed"]


async def test_sample_of_an_odd_row_is_its_own_and_tells_no_address_of_anybody() -> None:
    service = Service("Ada", "Bo")
    service.rows["ada"] = {"email": "ada@example.org", "lastName": "Lovelace", "handle": "Ada"}
    service.rows["bo"] = {"email": "bo@example.org", "handle": "Bo", "rating": "high"}
    platform = Codeforces("codeforces", service, Limits(rate=1))

    found = await platform.fetch_many(accounts("Ada", "Bo"))

    odd = found[AccountId(1)]
    assert isinstance(odd, BadPayload)
    assert "high" in odd.sample
    assert "example.org" not in f"{odd} {odd.sample}"
    assert "Lovelace" not in odd.sample


async def test_service_that_refuses_every_call_is_not_asked_for_each_of_them() -> None:
    names = [f"user{number}" for number in range(70)]
    service = Service(*names)
    service.spoilt = set(names)

    assert set(await asked(service, *names)) == {"BadPayload"}
    assert len(service.calls) < 30


async def test_name_of_another_is_believed_where_the_page_says_so() -> None:
    service = Service("Bo", pages={"Ada": "/profile/AdaNew"})
    service.rows["ada"] = {"handle": "AdaNew"}

    assert await asked(service, "Ada", "Bo") == ["AdaNew", "Bo"]


async def test_name_of_another_without_a_witness_is_the_wrong_account() -> None:
    service = Service("Bo")
    service.rows |= {"ada": {"handle": "Eve"}, "chi": {"handle": "Eve2"}}

    assert await asked(service, "Ada", "Bo", "Chi") == ["WrongAccount", "Bo", "WrongAccount"]
    assert service.paged == ["Ada"]


@pytest.mark.parametrize("page", [BLOCKED, "/enter?back=%2Fprofile%2FAda", answer(302)])
async def test_place_among_the_others_tells_who_was_renamed_while_pages_are_kept_from_us(
    page: Any,
) -> None:
    service = Service("Bo", "Di", pages={"Ada": page, "Chi": page})
    service.rows |= {"ada": {"handle": "AdaNew"}, "chi": {"handle": "ChiNew"}}

    assert await asked(service, "Ada", "Bo", "Chi", "Di") == ["AdaNew", "Bo", "ChiNew", "Di"]
    assert service.paged == ["Ada"]


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        (["Eve", "Chi", "Bo"], ["WrongAccount", "Bo", "Chi"]),
        (["Bo", "Bo", "Chi"], ["WrongAccount", "Bo", "Chi"]),
        (["Eve", "eve", "Chi"], ["WrongAccount", "WrongAccount", "Chi"]),
        (["Eve", None, "Chi"], ["Eve", "BadPayload", "Chi"]),
    ],
    ids=["out of order", "one of the others", "one for two", "one that tells nothing"],
)
async def test_place_is_believed_only_where_all_others_stand_in_theirs(
    rows: list[str | None], found: list[str]
) -> None:
    service = Service(pages={"Ada": BLOCKED, "Bo": BLOCKED})
    handles = ("ada", "bo", "chi")
    service.rows = {key: {"handle": row} for key, row in zip(handles, rows, strict=True)}

    assert await asked(service, "Ada", "Bo", "Chi") == found


@pytest.mark.parametrize("others", [(), ("Bo",)])
async def test_new_name_with_nobody_to_know_the_order_by_is_a_failure_that_may_pass(
    others: tuple[str, ...],
) -> None:
    service = Service(pages=dict.fromkeys(("Ada", "Bo"), BLOCKED))
    service.rows |= {"ada": {"handle": "AdaNew"}, "bo": {"handle": "BoNew"}}

    with pytest.raises(PlatformDown, match="whether 'Ada' is called 'AdaNew' now") as raised:
        await asked(service, "Ada", *others)

    assert raised.value.until is None


async def test_error_of_one_is_raised_where_one_is_asked_for(account: Account) -> None:
    platform = Codeforces("codeforces", Service(), Limits(rate=1))

    with pytest.raises(AccountNotFound, match="'Ada' does not exist on codeforces"):
        await platform.fetch(account)


@pytest.mark.parametrize("data", [None, [], {}, {"status": "OK"}, {"status": "OK", "result": []}])
async def test_answer_that_tells_of_nobody_is_everybodys_error(account: Account, data: Any) -> None:
    class Silent(Service):
        async def request(self, request: Request) -> Response:
            return answer(data=data)

    platform = Codeforces("codeforces", Silent(), Limits(rate=1))

    with pytest.raises(BadPayload, match="'Ada'"):
        await platform.fetch(account)


def rows(file: str) -> list[dict[str, Any]]:
    data = find_recorded(f"codeforces/{file}").json()
    return list(data["result"] if isinstance(data, dict) else data)


@pytest.mark.parametrize(
    ("file", "place", "handle", "name", "rating", "has_picture"),
    [
        ("user_info_two_handles_200_2025.json", 0, "DmitriyH", "Dmitriy Khodyrev", 1709, True),
        ("user_info_two_handles_200_2025.json", 1, "Fefer_Ivan", "Ivan Fefer", 2174, True),
        ("user_info_unbit_200_2025-08.json", 0, "unbit", None, 1622, True),
    ],
)
def test_recorded_user_is_mapped(
    account: Account, file: str, place: int, handle: str, name: str | None, rating: int, *,
    has_picture: bool,
) -> None:  # fmt: skip
    row = rows(file)[place]

    profile = to_profile(row, replace(account, handle=handle))

    assert (profile.handle, profile.external_id) == (handle, handle.lower())
    assert (profile.name, profile.rating, profile.solved) == (name, rating, None)
    assert (profile.avatar_url is not None) is has_picture
    assert profile.raw == row


def test_unrated_user_has_no_rating_and_a_negative_one_is_a_rating(account: Account) -> None:
    assert to_profile({"handle": "Ada"}, account).rating is None
    assert to_profile({"handle": "Ada", "rating": -32}, account).rating == -32


def test_what_identifies_a_person_elsewhere_is_not_kept(account: Account) -> None:
    row = {"handle": "Ada", "email": "a@example.invalid", "vkId": "1", "openId": "2", "city": "X"}

    assert to_profile(row, account).raw == {"handle": "Ada", "city": "X"}


def test_being_online_is_no_change(account: Account) -> None:
    before = {"handle": "Ada", "lastOnlineTimeSeconds": 1, "friendOfCount": 5, "rating": 1}

    def hashed(**changes: int) -> bytes:
        return hash_answer(to_profile({**before, **changes}, account))

    assert hashed() == hashed(lastOnlineTimeSeconds=2, friendOfCount=6)
    assert hashed() != hashed(rating=2)


@pytest.mark.parametrize(
    ("picture", "url"),
    [
        ("https://userpic.codeforces.org/no-title.jpg", None),
        ("//userpic.codeforces.org/1/title/x.jpg", "https://userpic.codeforces.org/1/title/x.jpg"),
        (None, None),
    ],
)
def test_placeholder_is_no_picture(account: Account, picture: str | None, url: str | None) -> None:
    assert to_profile({"handle": "Ada", "titlePhoto": picture}, account).avatar_url == url


@pytest.mark.parametrize(
    "row", [None, 7, {}, {"handle": 7}, {"handle": "a/b"}, {"handle": "Ada", "rating": "1"}]
)
def test_row_that_is_no_user_is_an_item_error(account: Account, row: Any) -> None:
    with pytest.raises(ItemError):
        to_profile(row, account)


@pytest.mark.parametrize("status", [200, 400, 403, 429, 503])
def test_call_limit_is_a_pause_whatever_the_status(status: int) -> None:
    recorded = find_recorded("codeforces/error_call_limit_exceeded.json")

    for given in (answer(status, body=recorded.body), answer(status, body=b"Call limit exceeded")):
        assert judge(given).kind is Kind.PAUSE


@pytest.mark.parametrize(
    "given",
    [
        answer(200, body=COOKIE),
        answer(403, body=b"<html><title>Just a moment...</title></html>"),
        answer(503, body=b"<html>Just a moment...</html>"),
        answer(403, body=b"Forbidden"),
        answer(200, body=b"<html>The page is temporarily blocked by administrator</html>"),
        answer(404, body=b"<html>no such method</html>"),
        answer(200, body=b"<html><title>Maintenance</title></html>"),
    ],
)
def test_page_that_keeps_programs_away_is_about_everybody(given: Response) -> None:
    verdict = judge(given)

    assert (verdict.kind, verdict.is_certain) == (Kind.BLOCKED, True)


@pytest.mark.parametrize(
    "given",
    [
        answer(400, data={"status": "FAILED", "comment": "handles: User with handle x not found"}),
        answer(200, body=PAGE),
        answer(302, body=b"<html></html>", Location="/"),
        answer(data={"status": "OK", "result": [{"organization": "Call limit exceeded"}]}),
        answer(data={"status": "OK", "result": [{"city": "RCPC="}]}),
    ],
)
def test_answer_that_says_something_is_no_refusal(given: Response) -> None:
    assert judge(given).kind is Kind.OK


def test_failing_service_is_tried_again() -> None:
    assert judge(answer(502, body=b"<html>502</html>")).kind is Kind.TRANSIENT
    assert judge(answer(429, data={}, Retry_After="7")).pause_seconds == 7


@pytest.mark.parametrize("handle", ["tourist", "Um_nik", "a", "x" * 24, "a.b", ".x-"])
def test_handles_of_codeforces_are_accepted(handle: str) -> None:
    assert Codeforces.accepts(handle)


@pytest.mark.parametrize("handle", ["...", "x" * 25, "a;b", "a b", "\u0430da"])
def test_what_breaks_the_address_is_refused(handle: str) -> None:
    assert not Codeforces.accepts(handle)
