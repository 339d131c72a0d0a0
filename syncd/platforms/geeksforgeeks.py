"""GeeksforGeeks profiles, from the address that the site's own pages ask.

Nobody documents it; what is known comes from recorded answers and from those who read it daily. The
answer does not say whose it is, so it is believed to be about the handle that was asked for. A user
who took another handle is told by a redirect to the new one.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

from syncd.config.models import PlatformSettings
from syncd.errors import AccountNotFound, BadPayload
from syncd.model.account import Account
from syncd.model.profile import Fetched, Profile
from syncd.model.scheme import Scheme
from syncd.outbound.answers import Classifier, Kind, Response, Verdict
from syncd.outbound.credentials import Credential
from syncd.outbound.request import Request
from syncd.platforms.base import Platform
from syncd.platforms.shape import BROWSER, Shape, judge_site, sampled

_MOST_MOVES = 2
_SITE = ".geeksforgeeks.org"
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_UNKNOWN_STATUS = frozenset({400, 404, 406})
_UNKNOWN_WORDS = ("user not found", "valid user details")
_USER = re.compile(r"/(?:user|profile)/([^/]+)/?")
# What moves without the user: a rank among others, and the record of all users.
_RANKS = ("institute_rank", "pod_solved_global_longest_streak")


class GeeksForGeeks(Platform):
    """authapi.geeksforgeeks.org."""

    # Nobody publishes a limit; clist asks six times a second. Well below that.
    defaults: ClassVar[PlatformSettings] = PlatformSettings.model_validate(
        {
            "base_url": "https://authapi.geeksforgeeks.org",
            "rate": "60/min",
            "slots": 3,
            "timeout": "30s",
        }
    )
    # Letters, digits, underscores, hyphens and dots, as in every address /user/{user}; where
    # sign-ups are checked by others who read this address, 50 is the most.
    handle_rule: ClassVar[re.Pattern[str]] = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,59}")
    # What the site's own pages send; without it the answer is a refusal.
    headers: ClassVar[dict[str, str]] = {
        "User-Agent": BROWSER,
        "Accept": "application/json",
        "Origin": "https://www.geeksforgeeks.org",
        "Referer": "https://www.geeksforgeeks.org/",
    }
    schemes: ClassVar[tuple[Scheme, ...]] = ()

    @classmethod
    def classifier(cls, credential: Credential) -> Classifier:
        """All good answers are JSON."""
        del credential
        return judge

    async def fetch(self, account: Account) -> Fetched:
        """Read a profile, under the new handle where the user took one."""
        handle = account.handle
        for _ in range(_MOST_MOVES + 1):
            response = await self.client.request(_question(handle))
            with sampled(response):
                moved = moved_to(response, account, self.client.base_url)
                if moved is None:
                    return Fetched(profile=read_answer(response, account, handle))
                handle = moved
        raise BadPayload(
            f"{account.handle!r}: geeksforgeeks redirects more than {_MOST_MOVES} times"
        )


def _question(handle: str) -> Request:
    return Request(
        segments=("api-get", "user-profile-info"),
        ends_with_slash=True,
        params={"handle": handle},
        follows_redirects=False,
    )


def judge(response: Response) -> Verdict:
    """Say what an answer means: an error that is not the API's own is about everybody."""
    verdict = judge_site(response)
    is_own = isinstance(response.data, dict)
    if verdict.kind is Kind.OK and response.status >= 400 and not is_own:
        cause = f"HTTP {response.status} that is not the API's"
        return Verdict(kind=Kind.BLOCKED, cause=cause, is_certain=True)
    return verdict


def moved_to(response: Response, account: Account, base_url: str) -> str | None:
    """Return the handle that the user has now; None where the answer is about the one asked for.

    Raises:
        BadPayload: it leads to no user of this site.
    """
    if response.status in _REDIRECTS:
        location: Any = response.headers.get("Location", "")
    elif isinstance(response.data, dict) and "pageProps" in response.data:
        # How the site's pages tell the same: 307 in the body, with status 200.
        location = (
            Shape(response.data, account.handle)
            .needed_inner("pageProps")
            .needed_text("__N_REDIRECT")
        )
    else:
        return None
    handle = _handle_in(location, base_url)
    if not GeeksForGeeks.accepts(handle):
        raise BadPayload(f"{account.handle!r}: geeksforgeeks redirects to no user")
    return handle


def _handle_in(location: str, base_url: str) -> str:
    try:
        url = urlsplit(location)
        host = url.hostname or ""
    except ValueError:
        return ""
    if host not in {"", urlsplit(base_url).hostname} and not f".{host}".endswith(_SITE):
        return ""
    match = _USER.fullmatch(url.path)
    return match[1] if match else parse_qs(url.query).get("handle", [""])[0]


def read_answer(response: Response, account: Account, asked: str) -> Profile:
    """Map an answer to a profile; `asked` is the handle after the redirects.

    Raises:
        AccountNotFound: it says that there is no such user.
        BadPayload: it is none that is known.
    """
    if response.status in _UNKNOWN_STATUS and _says_unknown(response.data):
        raise AccountNotFound(f"{account.handle!r} does not exist on geeksforgeeks")
    if response.status != 200:
        raise BadPayload(f"cannot read {account.handle!r} on geeksforgeeks: HTTP {response.status}")
    return to_profile(response.data, account, asked)


def to_profile(data: Any, account: Account, asked: str = "") -> Profile:
    """Map a good answer to a profile; `asked` is the handle it is about, if not the account's.

    Raises:
        BadPayload: a needed key is missing or wrong.
    """
    handle = asked or account.handle
    answer = Shape(data, account.handle)
    found = answer.needed_inner("data")
    ranks = {key: found.data[key] for key in _RANKS if key in found.data}
    kept = {key: value for key, value in found.data.items() if key not in ranks}
    return Profile(
        external_id=handle.lower(),
        handle=handle,
        name=found.text("name"),
        avatar_url=found.text("profile_image_url"),
        solved=found.needed_count("total_problems_solved"),
        raw={**answer.data, "data": kept, "ranks": ranks},
        volatile=frozenset({"ranks"}),
    )


def _says_unknown(data: Any) -> bool:
    message = data.get("message") if isinstance(data, dict) else None
    return isinstance(message, str) and any(words in message.lower() for words in _UNKNOWN_WORDS)
