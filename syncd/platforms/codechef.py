"""CodeChef profiles, read from the public page of a user: there is no public API since 2021.

The page says who it is about in its title, holds the ratings as JSON in a script
(`jQuery.extend(Drupal.settings, {...})`) and the solved problems in a heading. Each of them must be
there as it is known: a page that was laid out anew is an error and never a zero. An unknown user is
a 404, a redirect to another place, or a general page with status 200.
"""

from __future__ import annotations

import asyncio
import re
from typing import Any, ClassVar
from urllib.parse import urljoin, urlsplit

from selectolax.lexbor import LexborHTMLParser

from syncd.config.models import PlatformSettings
from syncd.errors import AccountNotFound, AccountUnsuitable, BadPayload, ItemError, WrongAccount
from syncd.model.account import Account
from syncd.model.contest import ContestList
from syncd.model.profile import Fetched, Profile
from syncd.model.scheme import Scheme
from syncd.outbound.answers import Classifier, Kind, Response, Verdict
from syncd.outbound.credentials import Credential
from syncd.outbound.reader import Expects, parse_json
from syncd.outbound.request import Request
from syncd.platforms.base import Platform
from syncd.platforms.codechef_contests import PARAMS, SEGMENTS, to_contests
from syncd.platforms.page import parse_page, title_of
from syncd.platforms.shape import BROWSER, Shape, judge_site, sampled

_SITE = "https://www.codechef.com"
_HOSTS = frozenset({"www.codechef.com", "codechef.com"})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_MOVES = 2
_USER = re.compile(r"/users/([A-Za-z0-9_]+)/?")
_PROFILE = re.compile(
    r"([A-Za-z0-9_]+) \| CodeChef User Profile for ?(.*?)(?: \| CodeChef)?", re.DOTALL
)
# What stands in the place of a profile that does not exist, by its title.
_GENERIC = frozenset({
    "Competitive Programming | Participate & Learn | CodeChef",
    "CodeChef: Practical coding for everyone",
    "Page not found | CodeChef",
})  # fmt: skip
# Where everybody is sent who shall not pass; a user may be called so, a gate is never at /users/.
_GATE = re.compile(
    r"(?!(?:https?://[^/]*)?/users/)[^?]*(?:login|captcha|challenge|maintenance)", re.IGNORECASE
)
_SETTINGS = "jQuery.extend(Drupal.settings,"
_SOLVED = re.compile(r"Total Problems Solved:\s*([0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)")
_SOLVED_WORDS = "Total Problems Solved"
_DAY = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", re.ASCII)
_SHOWN = 80


class CodeChef(Platform):
    """www.codechef.com."""

    # Nobody publishes a limit, 429 is real: clist asks once a second and rests 60 s at a 429.
    defaults: ClassVar[PlatformSettings] = PlatformSettings.model_validate(
        {"base_url": _SITE, "rate": "50/min", "slots": 1, "timeout": "30s"}
    )
    # Letters, digits and underscores, as in every address /users/{user}; the form for new users
    # allows 4 to 14, those who came by another site's login have longer ones.
    handle_rule: ClassVar[re.Pattern[str]] = re.compile(r"[A-Za-z0-9_]{1,40}")
    # Other clients are shown a challenge.
    headers: ClassVar[dict[str, str]] = {
        "User-Agent": BROWSER,
        "Accept": "text/html,application/xhtml+xml",
        "Accept-Language": "en",
    }
    schemes: ClassVar[tuple[Scheme, ...]] = ()
    announces_contests: ClassVar[bool] = True

    @classmethod
    def classifier(cls, credential: Credential) -> Classifier:
        """Pages are what is asked for; a challenge is told by its title."""
        del credential
        return judge

    async def fetch(self, account: Account) -> Fetched:
        """Read a user's page, from where it has moved to if it has."""
        handle = account.handle
        for _ in range(_MOST_MOVES + 1):
            request = Request(
                segments=("users", handle), expects=Expects.TEXT, follows_redirects=False
            )
            response = await self.client.request(request)
            with sampled(response):
                if response.status not in _REDIRECTS:
                    return Fetched(profile=read_answer(response, account, handle))
                handle = moved_to(response, account, self.client.base_url)
        raise BadPayload(f"{account.handle!r}: codechef redirects more than {_MOST_MOVES} times")

    async def fetch_contests(self) -> ContestList:
        """Read what runs, what is to come and the last twenty."""
        request = Request(
            segments=SEGMENTS,
            params=PARAMS,
            headers={"Accept": "application/json"},
            is_retried=False,
            follows_redirects=False,
        )
        response = await self.client.request(request)
        with sampled(response):
            if response.status != 200:
                raise BadPayload(f"cannot read contests on codechef: HTTP {response.status}")
            return await asyncio.to_thread(to_contests, response.data)


def judge(response: Response) -> Verdict:
    """Say what an answer means: 200, 404 and a redirect are about the user, nothing else is."""
    if response.status in _REDIRECTS and _GATE.match(_location(response)):
        return Verdict(kind=Kind.BLOCKED, cause="redirected to a gate", is_certain=True)
    if response.status not in {200, 404, 410}:
        return judge_site(response, expects_page=True)
    title = title_of(response)
    if b"CodeChef User Profile for" in title:
        # The last of a whole page is a tag; what ends in the midst of a word was cut off there.
        is_whole = response.body.rstrip().endswith(b">")
        return Verdict() if is_whole else Verdict(kind=Kind.TRANSIENT, cause="the page was cut off")
    if b"maintenance" in title.lower():
        return Verdict(kind=Kind.TRANSIENT, cause="maintenance")
    return Verdict() if title.endswith(b"CodeChef") else judge_site(response, expects_page=True)


def moved_to(response: Response, account: Account, base_url: str) -> str:
    """Return the handle that a redirect leads to.

    Raises:
        AccountNotFound: it leads away from the users.
        AccountUnsuitable: it leads to a team.
        BadPayload: it leads to another site, or nowhere.
    """
    location = _location(response)
    try:
        url = urlsplit(location)
        host = url.hostname
    except ValueError as error:
        raise BadPayload(f"{account.handle!r}: codechef redirects to no address") from error
    if not location or (host and host not in _HOSTS | {urlsplit(base_url).hostname}):
        shown = location[:_SHOWN]
        raise BadPayload(f"{account.handle!r}: codechef redirects to another site: {shown!a}")
    if url.path.startswith("/teams/"):
        raise AccountUnsuitable(f"{account.handle!r} is a team on codechef, not a person")
    match = _USER.fullmatch(url.path)
    if match is None:
        raise AccountNotFound(f"{account.handle!r} does not exist on codechef")
    return match[1]


def read_answer(response: Response, account: Account, asked: str) -> Profile:
    """Map an answer to a profile; `asked` is the handle after the redirects.

    Raises:
        AccountNotFound: nobody has that handle.
        BadPayload, WrongAccount, AccountUnsuitable: as `to_profile`.
    """
    if response.status in {404, 410}:
        raise AccountNotFound(f"{account.handle!r} does not exist on codechef")
    if response.status != 200:
        raise BadPayload(f"cannot read {account.handle!r} on codechef: HTTP {response.status}")
    return to_profile(response.text, account, asked)


def to_profile(page: str, account: Account, asked: str = "") -> Profile:
    """Map a page to a profile; `asked` is the handle it was asked for, if not the account's.

    Raises:
        AccountNotFound: it is the page of nobody.
        AccountUnsuitable: it is the page of a team.
        WrongAccount: it is somebody else's.
        BadPayload: it is laid out in another way than is known.
    """
    who, asked = account.handle, asked or account.handle
    tree = parse_page(page, who)
    title = _text(tree.css_first("title"))
    match = _PROFILE.fullmatch(title)
    if match is None:
        raise _no_profile(tree, title, who)
    handle, name = match[1], match[2].strip()
    if handle.lower() != asked.lower():
        raise WrongAccount(f"{who!r}: codechef answered about {handle[:_SHOWN]!r}")
    rows = _settings(tree, who).needed_inner("date_versus_rating").needed_rows("all")
    solved = _solved(tree, who)
    avatar = _avatar(tree)
    return Profile(
        external_id=handle.lower(),
        handle=handle,
        name=name or None,
        avatar_url=avatar,
        rating=_newest_rating(rows),
        solved=solved,
        raw={
            "username": handle,
            "name": name,
            "avatar_url": avatar,
            "total_solved": solved,
            "rating_history": [row.data for row in rows],
        },
    )


def _no_profile(tree: LexborHTMLParser, title: str, who: str) -> ItemError:
    """Say what a page is that is no profile, where that is known for sure."""
    if title in _GENERIC:
        return AccountNotFound(f"{who!r} does not exist on codechef")
    members = [_text(cell) for cell in tree.css("td b")]
    if any(text.startswith("Member") for text in members):
        settings = _settings(tree, who)
        if "date_versus_rating" not in settings.data:
            return AccountUnsuitable(f"{who!r} is a team on codechef, not a person")
    return BadPayload(f"{who!r}: the page has no title of a profile: {title[:_SHOWN]!a}")


def _settings(tree: LexborHTMLParser, who: str) -> Shape:
    """Return what the page tells its own scripts."""
    for script in tree.css("script"):
        _, call, rest = script.text().partition(_SETTINGS)
        if not call:
            continue
        # The call ends its line; what is written in JSON has none of its own.
        end = rest.find(");\n")
        try:
            settings = parse_json(rest[: rest.rfind(");") if end < 0 else end].encode())
        except ValueError as error:
            raise BadPayload(
                f"{who!r}: Drupal.settings of the page are no JSON: {error}"
            ) from error
        return Shape(settings, who, "Drupal.settings")
    raise BadPayload(f"{who!r}: the page has no Drupal.settings")


def _newest_rating(rows: list[Shape]) -> float | None:
    """Return the rating after the contest that ended last; None for who is unrated."""
    dated = [(_ended_at(row), place) for place, row in enumerate(rows)]
    return rows[max(dated)[1]].needed_number("rating", as_text=True) if dated else None


def _ended_at(row: Shape) -> str:
    # All in one zone, which they do not name: as text they have the order of the instants.
    ended_at = row.needed_text("end_date")
    if not _DAY.fullmatch(ended_at):
        raise row.wrong("end_date", "date and time")
    return ended_at


def _solved(tree: LexborHTMLParser, who: str) -> int:
    texts = [text for node in tree.css("h3") if _SOLVED_WORDS in (text := _text(node))]
    if len(texts) != 1:
        raise BadPayload(f"{who!r}: the page has {len(texts)} headings {_SOLVED_WORDS!r}, not one")
    match = _SOLVED.fullmatch(texts[0])
    digits: Any = match[1].replace(",", "") if match else texts[0]
    return Shape({"total_solved": digits}, who).needed_count("total_solved", as_text=True)


def _avatar(tree: LexborHTMLParser) -> str | None:
    image = tree.css_first(".user-details-container header img")
    source = image.attributes.get("src") if image else None
    # Who uploaded none is shown the picture that everybody without one has.
    if not source or "default" in source.rpartition("/")[2]:
        return None
    try:
        return urljoin(_SITE, source)
    except ValueError:
        return None


def _location(response: Response) -> str:
    return response.headers.get("Location", "")


def _text(node: Any) -> str:
    return str(node.text()).strip() if node is not None else ""
