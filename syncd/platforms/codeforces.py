"""Codeforces profiles: up to 70 in one call of `user.info`.

Facts: codeforces.com/apiHelp, and github.com/aropan/clist for what that page is silent about. One
unknown handle fails the whole call, which names the first of them only: its page then tells
whether somebody took another handle, and the call is made again. The page is for people and may be
kept from us; that must cost nobody but who is asked about.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from syncd.config.models import PlatformSettings
from syncd.errors import AccountNotFound, BadPayload, ItemError, PlatformTrouble, WrongAccount
from syncd.model.account import Account, AccountId
from syncd.model.contest import ContestList
from syncd.model.profile import Fetched, Profile, Unchanged
from syncd.model.scheme import Scheme
from syncd.outbound.answers import Classifier, Kind, Response, Verdict
from syncd.outbound.credentials import Credential
from syncd.outbound.reader import Expects, excerpt
from syncd.outbound.request import Request
from syncd.platforms.base import Platform
from syncd.platforms.codeforces_batch import Batch, Found, Witness, has_handle
from syncd.platforms.codeforces_contests import to_contests
from syncd.platforms.shape import BROWSER, Shape, blocked, is_same_handle, judge_site, sampled

MOST_HANDLES = 70

_LIMITED = "call limit exceeded"
# A page that sets the cookie RCPC by script, and the ban of an address.
_BANS = (b"rcpc=", b"temporarily blocked by administrator")
_OWN_PAGE = re.compile(rb"<title>[^<]* - Codeforces</title>")
_HOME = re.compile(r"(https?://[^/]+)?/")
_UNKNOWN = re.compile(r"handles?: User with handle (\S+) not found")
_SECRET = frozenset({"email", "vkId", "openId"})
_VOLATILE = frozenset({"lastOnlineTimeSeconds", "friendOfCount"})
_PLACEHOLDER = "no-title."
# So many that fail alone, and it is not them.
_HOPELESS = 5


class Codeforces(Platform):
    """codeforces.com."""

    # "API may be requested at most 1 time per two seconds" (codeforces.com/apiHelp). Handles of
    # 24 characters: 70 of them keep the address below the 2,000 that clist found to work.
    defaults: ClassVar[PlatformSettings] = PlatformSettings.model_validate(
        {"base_url": "https://codeforces.com", "rate": "30/min", "slots": 1, "timeout": "30s"}
    )
    # Letters, digits, "_", "-" and ".", 3 to 24 of them today (codeforces.com/register); old ones
    # may be shorter. Dots alone cannot stand in an address.
    handle_rule: ClassVar[re.Pattern[str]] = re.compile(r"(?=.*[^.])[A-Za-z0-9_.-]{1,24}")
    headers: ClassVar[Mapping[str, str]] = {"User-Agent": BROWSER}
    schemes: ClassVar[tuple[Scheme, ...]] = ()
    batch_size: ClassVar[int] = MOST_HANDLES
    announces_contests: ClassVar[bool] = True

    @classmethod
    def classifier(cls, credential: Credential) -> Classifier:
        """Judge by Codeforces' rules."""
        del credential
        return judge

    async def fetch(self, account: Account) -> Fetched | Unchanged:
        """Read one profile."""
        found = (await self.fetch_many([account]))[account.id]
        if isinstance(found, ItemError):
            raise found
        return found

    async def fetch_many(self, accounts: Sequence[Account]) -> Mapping[AccountId, Found]:
        """Read profiles in one call, and in one more for each handle that nobody has now.

        Where one of them spoils a call that does not say which, half of them are asked for at a
        time, until too many have failed alone.
        """
        found: dict[AccountId, Found] = {}
        groups, failed = [list(accounts)], 0
        while groups:
            batch = Batch(groups.pop())
            refused = await self._ask(batch)
            if refused is not None and len(batch.asked) > 1 and failed < _HOPELESS:
                left = batch.accounts()
                groups += [left[: len(left) // 2], left[len(left) // 2 :]]
            elif refused is not None:
                batch.give_up(refused)
                failed += 1
            found |= batch.found
        return found

    async def fetch_contests(self) -> ContestList:
        """Read the whole history of contests, and all that are announced."""
        request = Request(
            segments=("api", "contest.list"),
            params={"gym": "false", "lang": "en"},
            is_retried=False,
            follows_redirects=False,
        )
        response = await self.client.request(request)
        with sampled(response):
            if response.status != 200:
                raise _refusal(
                    f"cannot read contests on codeforces: HTTP {response.status}", response
                )
            return await asyncio.to_thread(to_contests, response.data)

    async def _ask(self, batch: Batch) -> BadPayload | None:
        """Settle a batch, or return why the call as a whole came to nothing."""
        for _ in range(2 * len(batch.asked) + 1):
            # Without `lang` some answers come in Russian.
            params = {"handles": ";".join(batch.handles()), "lang": "en"}
            request = Request(segments=("api", "user.info"), params=params)
            response = await self.client.request(request)
            unknown = unknown_handle(response.data)
            if unknown is None or not batch.holds(unknown):
                return await self._read(batch, response)
            await self._look_after(batch, unknown)
            if not batch.asked:
                return None
        return BadPayload("cannot be read: codeforces goes on naming handles that nobody has")

    async def _read(self, batch: Batch, response: Response) -> BadPayload | None:
        data, handles = response.data, batch.handles()
        if not isinstance(data, dict) or data.get("status") != "OK":
            return _refusal(f"cannot be read on codeforces: HTTP {response.status}", response)
        rows = data.get("result")
        if not isinstance(rows, list) or len(rows) != len(handles):
            # No sample: what came tells of others.
            return BadPayload(f"cannot be read: codeforces tells not of {len(handles)} users")
        told = {row["handle"].lower(): row for row in rows if has_handle(row)}
        witness = Witness(self._page_of, handles, rows)
        for handle, row in zip(handles, rows, strict=True):
            known = told.get(handle.lower())
            is_right = known is not None or await witness.confirms(handle, row)
            for account in batch.asked.pop(handle.lower()):
                batch.found[account.id] = _fetched(known or row, account, is_right)
        return None

    async def _look_after(self, batch: Batch, handle: str) -> None:
        """Ask for somebody under the handle they have now, or for nobody in their place."""
        now = None if batch.is_kept_from_pages else await self._page_of(handle)
        batch.is_kept_from_pages = now is None
        if not now:
            batch.drop(handle, AccountNotFound("does not exist on codeforces"))
        elif is_same_handle(now, handle):
            # Who is declared gone must not have a page.
            batch.drop(handle, BadPayload("has a page on codeforces, whose API knows no such user"))
        else:
            batch.rename(handle, now)

    async def _page_of(self, handle: str) -> str | None:
        """Return whose page the one of a handle is or leads to.

        Empty where it leads to nobody, None where it is kept from us.
        """
        page = Request(
            segments=("profile", handle),
            expects=Expects.TEXT,
            follows_redirects=False,
            is_divisible=True,  # whatever becomes of it says nothing about the API
        )
        try:
            response = await self.client.request(page)
        except (PlatformTrouble, ItemError):
            return None
        if response.status == 200:
            return handle
        location = response.headers.get("Location", "")
        before, _, name = location.partition("?")[0].rstrip("/").rpartition("/")
        if before.endswith("/profile") and Codeforces.accepts(name):
            return name
        return "" if _HOME.fullmatch(location) else None


def judge(response: Response) -> Verdict:
    """Judge an answer: the words before the status, which differs for the same words."""
    if response.status == 200 and _OWN_PAGE.search(response.body):
        return Verdict()
    if _is_limited(response):
        return Verdict(kind=Kind.PAUSE, cause="call limit exceeded")
    body = response.body[:16_384].lower()
    if response.is_html and any(words in body for words in _BANS):
        return blocked("a page that keeps programs away")
    return judge_site(response)


def _is_limited(response: Response) -> bool:
    """Tell whether this is the refusal of too many calls: an envelope, or plain words."""
    if isinstance(response.data, dict):
        comment = str(response.data.get("comment")).lower()
        return response.data.get("status") == "FAILED" and _LIMITED in comment
    return _LIMITED in response.text[:16_384].lower()


def _refusal(words: str, response: Response) -> BadPayload:
    sample = excerpt(response.body)
    error = BadPayload(f"{words}: {sample}")
    error.sample = sample
    return error


def unknown_handle(data: Any) -> str | None:
    """Return the handle that a failed call names; None where it names none."""
    comment = data.get("comment") if isinstance(data, dict) else None
    match = _UNKNOWN.search(comment) if isinstance(comment, str) else None
    return match[1] if match else None


def to_profile(row: Any, account: Account) -> Profile:
    """Map what is told of one user to a profile, whatever their handle is.

    Raises:
        BadPayload: a needed key is missing or wrong.
    """
    user = Shape(row, account.handle)
    handle = user.needed_text("handle")
    if not Codeforces.accepts(handle):
        raise user.wrong("handle", "handle")
    names = (user.text("firstName"), user.text("lastName"))
    picture = user.text("titlePhoto")
    if picture is not None and picture.startswith("//"):
        picture = f"https:{picture}"
    return Profile(
        external_id=handle.lower(),
        handle=handle,
        name=" ".join(name for name in names if name) or None,
        avatar_url=None if picture is None or _PLACEHOLDER in picture else picture,
        # Absent of who never took part in a contest; it may be negative.
        rating=user.number("rating"),
        raw=_public(user.data),
        volatile=_VOLATILE,
    )


def _fetched(row: Any, account: Account, is_witnessed: bool) -> Found:
    try:
        profile = to_profile(row, account)
        if not is_witnessed:
            raise WrongAccount(f"{account.handle!r}: codeforces answered about {profile.handle!r}")
    except ItemError as error:
        # Of their own row: an answer begins with somebody else's.
        error.sample = excerpt(repr(_public(row)).encode())
        return error
    return Fetched(profile=profile)


def _public(row: Any) -> Any:
    if not isinstance(row, dict):
        return row
    return {key: value for key, value in row.items() if key not in _SECRET}
