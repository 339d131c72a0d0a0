"""HackerRank profiles: who somebody is, and their badges, in two requests.

The site's own REST, which is not documented. An old name answers with the model of its owner, who
is known by `id`; an unknown one with 404, or with status 200 and `"status": false`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from syncd.config.models import PlatformSettings
from syncd.errors import AccountNotFound, BadPayload, WrongAccount
from syncd.model.account import Account
from syncd.model.profile import Fetched, Profile
from syncd.model.scheme import Scheme
from syncd.outbound.answers import Classifier, Response, Verdict
from syncd.outbound.credentials import Credential
from syncd.outbound.reader import excerpt
from syncd.outbound.request import Request
from syncd.platforms.base import Platform
from syncd.platforms.shape import BROWSER, Shape, is_challenge, judge_site, sampled

_RATED = "problem solving"
_MOST_STARS = 6
# Of a badge: a place among the others, which moves without the user.
_RANK = "hacker_rank"


class HackerRank(Platform):
    """www.hackerrank.com."""

    # Nobody publishes a limit. clist waits 0.5 to 10 seconds between requests, half as long again
    # after each 429 (github.com/aropan/clist).
    defaults: ClassVar[PlatformSettings] = PlatformSettings.model_validate(
        {"base_url": "https://www.hackerrank.com", "rate": "60/min", "slots": 3, "timeout": "30s"}
    )
    # No rule is published: letters, digits, "_" and "-" are what profile addresses hold.
    handle_rule: ClassVar[re.Pattern[str]] = re.compile(r"(?=.*[A-Za-z0-9])[A-Za-z0-9_-]{1,50}")
    headers: ClassVar[Mapping[str, str]] = {"User-Agent": BROWSER, "Accept": "application/json"}
    schemes: ClassVar[tuple[Scheme, ...]] = ()

    @classmethod
    def classifier(cls, credential: Credential) -> Classifier:
        """Judge as of a site that knows nobody by a credential."""
        del credential
        return judge

    async def fetch(self, account: Account) -> Fetched:
        """Read who it is and, by the name of today, their badges."""
        path = ("rest", "contests", "master", "hackers", account.handle, "profile")
        response = await self.client.request(Request(segments=path))
        with sampled(response):
            if _is_missing_page(response):
                # The site's page for what is not there: of the person, or of the whole interface.
                response = await self._badges(account.handle)
                if not _is_missing_page(response):
                    _checked(response, account)
                raise BadPayload(
                    f"cannot read {account.handle!r} on hackerrank: a web page came instead"
                )
            profile = _checked(response, account)
            model = to_model(profile, account)
        response = await self._badges(model.needed_text("username"))
        with sampled(response):
            try:
                badges = _checked(response, account)
            except AccountNotFound as error:
                # Who has a profile is not gone.
                raise BadPayload(f"{account.handle!r} has no badges on hackerrank") from error
            return Fetched(profile=to_profile(model, badges, profile))

    async def _badges(self, username: str) -> Response:
        request = Request(segments=("rest", "hackers", username, "badges"))
        return await self.client.request(request)


def judge(response: Response) -> Verdict:
    """Judge an answer: a 404 is about the person, in whatever form it comes."""
    if response.status == 404 and not is_challenge(response):
        return Verdict()
    return judge_site(response)


def to_model(profile: Any, account: Account) -> Shape:
    """Return who the answer is about.

    Raises:
        BadPayload: a needed key is missing or wrong.
        WrongAccount: it is somebody else, who has the name by now.
    """
    model = Shape(profile, account.handle).needed_inner("model")
    number, username = model.needed_count("id"), model.needed_text("username")
    if number == 0 or not HackerRank.accepts(username):
        raise BadPayload(
            f"{account.handle!r}: $.model tells no person: {number}, {username[:50]!r}"
        )
    if account.external_id and str(number) != account.external_id:
        raise WrongAccount(f"{account.handle!r}: hackerrank answered about id {number}")
    return model


def to_profile(model: Shape, badges: dict[str, Any], profile: dict[str, Any]) -> Profile:
    """Map both answers to a profile.

    Raises:
        BadPayload: a needed key is missing or wrong.
    """
    rows = Shape(badges, model.who).needed_rows("models")
    kept = [{key: row.data[key] for key in row.data if key != _RANK} for row in rows]
    return Profile(
        external_id=str(model.needed_count("id")),
        handle=model.needed_text("username"),
        name=model.text("name"),
        avatar_url=model.text("avatar"),
        rating=_stars(rows),
        # Who has no badge may have solved all the same: nobody tells.
        solved=sum(row.needed_count("solved") for row in rows) if rows else None,
        raw={
            "profile": profile,
            "badges": {**badges, "models": kept},
            "ranks": [row.data.get(_RANK) for row in rows],
        },
        volatile=frozenset({"ranks"}),
    )


def _stars(rows: list[Shape]) -> float | None:
    """Return the stars of the badge for solving problems; None without it."""
    for row in rows:
        if row.needed_text("badge_name").lower() == _RATED:
            stars = row.needed_count("stars")
            if stars > _MOST_STARS:
                raise row.wrong("stars", f"number of stars up to {_MOST_STARS}")
            return float(stars)
    return None


def _is_missing_page(response: Response) -> bool:
    return response.status == 404 and response.is_html


def _checked(response: Response, account: Account) -> dict[str, Any]:
    """Return a good answer's object, or raise what else it says."""
    name = account.handle
    says_no = isinstance(response.data, dict) and response.data.get("status") is False
    if response.status == 404 or (says_no and response.status in {200, 400}):
        raise AccountNotFound(f"{name!r} does not exist on hackerrank")
    if response.status != 200:
        words = excerpt(response.body)
        raise BadPayload(f"cannot read {name!r} on hackerrank: HTTP {response.status}: {words}")
    return Shape(response.data, name).data
