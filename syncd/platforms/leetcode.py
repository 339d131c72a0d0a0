"""LeetCode profiles: one GraphQL question tells what is solved and the contest rating.

The site's own endpoint: no documentation, no key, no promise. It answers 200 about unknown users,
in words of its own. What moves without the user (ranks) is not asked for, so that an answer that
changed means something. leetcode.cn is another site with other accounts.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from syncd.config.models import PlatformSettings
from syncd.errors import AccountNotFound, BadPayload, PlatformDown, WrongAccount
from syncd.model.account import Account
from syncd.model.contest import ContestList
from syncd.model.profile import Fetched, Profile
from syncd.model.scheme import Scheme
from syncd.outbound.answers import Classifier, Kind, Response, Verdict
from syncd.outbound.credentials import Credential
from syncd.outbound.reader import excerpt
from syncd.outbound.request import Request
from syncd.platforms.base import Platform
from syncd.platforms.leetcode_contests import QUESTION, to_contests
from syncd.platforms.shape import BROWSER, Shape, is_same_handle, judge_site, sampled

_QUERY = """
query profile($username: String!) {
  matchedUser(username: $username) {
    username
    profile { realName userAvatar aboutMe countryName school }
    submitStatsGlobal { acSubmissionNum { difficulty count } }
    contestBadge { name }
  }
  userContestRanking(username: $username) { attendedContestsCount rating badge { name } }
}
"""

_UNKNOWN = "that user does not exist"
_MISASKED = "cannot query field"
_ALL = "All"
# clist ends its run at the first refusal, which never says for how long.
_REST_SECONDS = 600.0
_SPLIT = {"easy": "Easy", "medium": "Medium", "hard": "Hard"}


class LeetCode(Platform):
    """leetcode.com."""

    # Nobody publishes a limit. clist asks once in two seconds and stops at the first 403 or 429
    # (github.com/aropan/clist); LeetCode-Query asks 20 times in ten seconds.
    defaults: ClassVar[PlatformSettings] = PlatformSettings.model_validate(
        {"base_url": "https://leetcode.com", "rate": "30/min", "slots": 2, "timeout": "30s"}
    )
    # No rule is published: letters, digits, "_", "-" and "." are what profile addresses hold.
    handle_rule: ClassVar[re.Pattern[str]] = re.compile(r"(?=.*[A-Za-z0-9])[A-Za-z0-9_.-]{1,40}")
    # Others than browsers are shown a challenge.
    headers: ClassVar[Mapping[str, str]] = {
        "User-Agent": BROWSER,
        "Accept": "application/json",
        "Origin": "https://leetcode.com",
        "Referer": "https://leetcode.com/",
    }
    schemes: ClassVar[tuple[Scheme, ...]] = ()
    announces_contests: ClassVar[bool] = True

    @classmethod
    def classifier(cls, credential: Credential) -> Classifier:
        """Judge by LeetCode's rules."""
        del credential
        return judge

    async def fetch(self, account: Account) -> Fetched:
        """Read a profile by its handle, which the site looks up in any spelling."""
        question = {"query": _QUERY, "variables": {"username": account.handle}}
        response = await self.client.request(
            Request(method="POST", segments=("graphql",), json=question)
        )
        with sampled(response):
            if response.status != 200:
                words = excerpt(response.body)
                raise BadPayload(
                    f"cannot read {account.handle!r} on leetcode: HTTP {response.status}: {words}"
                )
            return Fetched(profile=to_profile(response.data, account))

    async def fetch_contests(self) -> ContestList:
        """Read the next contests."""
        request = Request(
            method="POST",
            segments=("graphql",),
            json=QUESTION,
            is_retried=False,
            follows_redirects=False,
        )
        response = await self.client.request(request)
        with sampled(response):
            if response.status not in {200, 400}:
                raise BadPayload(f"cannot read contests on leetcode: HTTP {response.status}")
            return await asyncio.to_thread(to_contests, response.data)


def judge(response: Response) -> Verdict:
    """Judge as of a site that knows nobody by a credential; rest for long where it says stop."""
    verdict = judge_site(response)
    if verdict.kind is Kind.PAUSE and not verdict.pause_seconds:
        return replace(verdict, pause_seconds=_REST_SECONDS)
    return verdict


def to_profile(data: Any, account: Account) -> Profile:
    """Map an answer to a profile.

    Raises:
        AccountNotFound: the site says so.
        PlatformDown: it does not say what it knows, or says only a part of it.
        BadPayload: a needed key is missing or wrong.
        WrongAccount: the answer is about somebody else.
    """
    answer = Shape(data, account.handle)
    _check_errors(answer, account)
    inside = answer.needed_inner("data")
    if "matchedUser" not in inside.data or "userContestRanking" not in inside.data:
        raise BadPayload(f"{account.handle!r}: $.data lacks matchedUser or userContestRanking")
    user = inside.inner("matchedUser")
    if user is None:
        # Without the site's own words nobody knows whether the user is gone.
        raise PlatformDown(f"{account.handle!r}: leetcode says neither who this is nor why not")
    username = user.needed_text("username")
    if not is_same_handle(username, account.handle):
        raise WrongAccount(f"{account.handle!r}: leetcode answered about {username[:50]!r}")
    profile = user.needed_inner("profile")
    solved = _solved(user)
    return Profile(
        external_id=username.lower(),
        handle=username,
        name=profile.text("realName"),
        avatar_url=profile.text("userAvatar"),
        bio=profile.text("aboutMe"),
        rating=_rating(inside),
        solved=solved[_ALL],
        solved_by={word: solved[difficulty] for word, difficulty in _SPLIT.items()},
        raw=answer.data,
    )


def _check_errors(answer: Shape, account: Account) -> None:
    """Raise what GraphQL's own errors mean, which come with status 200."""
    errors = answer.rows("errors")
    if not errors:
        return
    told = [error.text("message") or "an error without words" for error in errors]
    inside = answer.inner("data")
    is_nobody = inside is None or inside.data.get("matchedUser") is None
    if is_nobody and any(words.lower().startswith(_UNKNOWN) for words in told):
        raise AccountNotFound(
            f"{account.handle!r} does not exist on leetcode",
            hint="accounts of leetcode.cn are of another site; link the one on leetcode.com",
        )
    shown = excerpt(told[0].encode())
    if _MISASKED in told[0].lower():
        raise BadPayload(f"{account.handle!r}: leetcode does not know the question: {shown}")
    raise PlatformDown(f"{account.handle!r}: leetcode answered with an error: {shown}")


def _rating(inside: Shape) -> float | None:
    """Return the contest rating; the site says null of who never took part."""
    ranking = inside.inner("userContestRanking")
    return None if ranking is None else ranking.needed_number("rating")


def _solved(user: Shape) -> dict[str, int]:
    """Return how many problems are solved by difficulty, each of which must be told."""
    rows = user.needed_inner("submitStatsGlobal").needed_rows("acSubmissionNum")
    counts = {row.needed_text("difficulty"): row.needed_count("count") for row in rows}
    for difficulty in (_ALL, *_SPLIT.values()):
        if difficulty not in counts:
            raise BadPayload(
                f"{user.who!r}: $.data.matchedUser.submitStatsGlobal tells no count of {difficulty}"
            )
    return counts
