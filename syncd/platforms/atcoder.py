"""AtCoder profiles: ratings from AtCoder itself, solved problems from AtCoder Problems (kenkoooo).

AtCoder answers a list for everybody, also for a user who does not exist: an empty one. Only the
user's page then says whether there is such a user (it is a 404 where not) and how the handle is
spelled. AtCoder Problems answers zeros for whom it does not know.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

from syncd.config.models import PlatformSettings
from syncd.errors import AccountNotFound, BadPayload, WrongAccount
from syncd.model.account import Account
from syncd.model.contest import ContestList
from syncd.model.profile import Fetched, Profile
from syncd.model.scheme import Scheme
from syncd.outbound.answers import Classifier, Response, Verdict
from syncd.outbound.credentials import Credential
from syncd.outbound.reader import Expects
from syncd.outbound.request import Request
from syncd.platforms.atcoder_contests import is_list, to_contests
from syncd.platforms.base import Platform
from syncd.platforms.page import parse_page, title_of
from syncd.platforms.shape import Shape, judge_site, rows_of, sampled

PROBLEMS = "problems"

# Of a user's page it is the handle, and of a user who does not exist the status in words.
_TITLE = re.compile(rb"(?:[A-Za-z0-9_]{1,40}|404 .*) - AtCoder")
_USER = re.compile(r"/users/([A-Za-z0-9_]+)")
# What moves without the user: a place among the others.
_RANKS = ("accepted_count_rank", "rated_point_sum_rank")
_SHOWN = 80


class AtCoder(Platform):
    """atcoder.jp, and kenkoooo.com as its companion."""

    # AtCoder: once a second or slower (clist asks 4/s, AtCoder Problems' own crawler 2/s).
    # AtCoder Problems: "sleep for more than 1 second between accesses" (its doc/api.md).
    defaults: ClassVar[PlatformSettings] = PlatformSettings.model_validate(
        {"base_url": "https://atcoder.jp", "rate": "50/min", "slots": 2, "timeout": "30s"}
    )
    companions: ClassVar[Mapping[str, str]] = {PROBLEMS: "https://kenkoooo.com/atcoder"}
    # Letters, digits and underscores, as in every address /users/{user}; the form for new users
    # allows 3 to 16.
    handle_rule: ClassVar[re.Pattern[str]] = re.compile(r"[A-Za-z0-9_]{1,40}")
    schemes: ClassVar[tuple[Scheme, ...]] = ()
    announces_contests: ClassVar[bool] = True

    @classmethod
    def classifier(cls, credential: Credential) -> Classifier:
        """Both services are judged alike; AtCoder's own pages are answers."""
        del credential
        return judge

    async def fetch(self, account: Account) -> Fetched:
        """Read a user's contests and solved problems, from both services."""
        handle = account.handle
        history = await self._read_history(account, handle)
        if history == []:
            handle = await self._look_up(account)
            if handle != account.handle:
                history = await self._read_history(account, handle)
        request = Request(
            segments=("atcoder-api", "v3", "user_info"),
            params={"user": handle},
            follows_redirects=False,
        )
        response = await self.companion[PROBLEMS].request(request)
        with sampled(response):
            problems = _data(response, account, "AtCoder Problems")
            return Fetched(profile=to_profile(history, problems, account, handle))

    async def fetch_contests(self) -> ContestList:
        """Read what runs, what is to come and the last fifty."""
        request = Request(
            segments=("contests",),
            ends_with_slash=True,
            params={"lang": "en"},
            expects=Expects.TEXT,
            is_retried=False,
            follows_redirects=False,
        )
        response = await self.client.request(request)
        with sampled(response):
            if response.status != 200:
                raise BadPayload(f"cannot read contests on atcoder: HTTP {response.status}")
            return await asyncio.to_thread(to_contests, response.text)

    async def _read_history(self, account: Account, handle: str) -> Any:
        request = Request(segments=("users", handle, "history", "json"), follows_redirects=False)
        response = await self.client.request(request)
        with sampled(response):
            history = _data(response, account, "atcoder")
            read_rating(history, account.handle)  # before anybody else is asked
            return history

    async def _look_up(self, account: Account) -> str:
        """Return how AtCoder spells a handle."""
        request = Request(
            segments=("users", account.handle), expects=Expects.TEXT, follows_redirects=False
        )
        response = await self.client.request(request)
        with sampled(response):
            return read_handle(response, account)


def _data(response: Response, account: Account, service: str) -> Any:
    """Return the JSON of a good answer: neither service says by a status that nobody is there."""
    if response.status != 200:
        raise BadPayload(f"cannot read {account.handle!r} on {service}: HTTP {response.status}")
    return response.data


def judge(response: Response) -> Verdict:
    """Say what an answer means: of pages only that of a user, of nobody, or of contests is one."""
    if response.status == 200 and is_list(response):
        return Verdict()
    if response.status in {200, 404} and _TITLE.fullmatch(title_of(response)):
        return Verdict()
    return judge_site(response, expects_page=response.status == 404)


def read_handle(response: Response, account: Account) -> str:
    """Return how the page of a user spells the handle.

    Raises:
        AccountNotFound: there is no such user.
        WrongAccount: it is about somebody else.
        BadPayload: it is no page of a user.
    """
    who = account.handle
    if response.status in {404, 410}:
        raise AccountNotFound(f"{who!r} does not exist on atcoder")
    if response.status != 200:
        raise BadPayload(f"cannot read the page of {who!r} on atcoder: HTTP {response.status}")
    links = parse_page(response.text, who).css("a.username")
    matches = [_USER.fullmatch(link.attributes.get("href") or "") for link in links]
    handles = [match[1] for match in matches if match]
    if not handles:
        raise BadPayload(f"{who!r}: the page has no link a.username to a user")
    for handle in handles:
        if handle.lower() == who.lower():
            return handle
    raise WrongAccount(f"{who!r}: atcoder answered about {handles[0][:_SHOWN]!r}")


def to_profile(history: Any, problems: Any, account: Account, asked: str = "") -> Profile:
    """Map what both services answered to a profile; `asked` is the handle as AtCoder spells it.

    Raises:
        BadPayload: a needed key is missing or wrong.
        WrongAccount: AtCoder Problems answered about somebody else.
    """
    who, handle = account.handle, asked or account.handle
    rating = read_rating(history, who)
    count = Shape(problems, who)
    told = count.needed_text("user_id")
    if told.lower() != handle.lower():
        raise WrongAccount(f"{who!r}: AtCoder Problems answered about {told[:_SHOWN]!r}")
    accepted = count.needed_count("accepted_count")
    ranks = {key: count.data[key] for key in _RANKS if key in count.data}
    return Profile(
        external_id=handle.lower(),
        handle=handle,
        rating=rating,
        # Zero is what it says of everybody it does not know.
        solved=accepted or None,
        raw={
            "history": history,
            "problems": {key: count.data[key] for key in count.data if key not in ranks},
            "ranks": ranks,
        },
        volatile=frozenset({"ranks"}),
    )


def read_rating(history: Any, who: str) -> float | None:
    """Return the rating after the rated contest that ended last; None for who is unrated.

    Raises:
        BadPayload: it is no history.
    """
    rows = rows_of(history, who)
    rated = [(_ended_at(row), place) for place, row in enumerate(rows) if _is_rated(row)]
    return float(rows[max(rated)[1]].needed_count("NewRating")) if rated else None


def _is_rated(row: Shape) -> bool:
    is_rated = row.flag("IsRated")
    if is_rated is None:
        raise BadPayload(f"{row.who!r}: {row.path}.IsRated is missing")
    return is_rated


def _ended_at(row: Shape) -> datetime:
    try:
        ended_at = datetime.fromisoformat(row.needed_text("EndTime"))
    except ValueError as error:
        raise row.wrong("EndTime", "date and time") from error
    if ended_at.tzinfo is None:
        raise row.wrong("EndTime", "date and time with its zone")
    return ended_at
