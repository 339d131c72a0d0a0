"""clist.by, which knows the contests of all platforms: a second source, for when one is silent.

Its list tells of several platforms at once: each contest says of which it is, under the id that the
platform itself gave, read out of the contest's address. What is missing from it means nothing: it
asks the platforms itself, now and then. It tells neither of kinds nor of who is rated, and of the
start of a contest a little later than its platform. https://clist.by/api/v4/doc/
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from typing import Any, ClassVar

from syncd.config.models import PlatformSettings
from syncd.errors import AccountUnsuitable, BadPayload, CredentialsRejected
from syncd.model.account import Account
from syncd.model.contest import Contest, ContestList
from syncd.model.profile import Fetched
from syncd.outbound.request import Request
from syncd.platforms.announced import (
    collect,
    end_after,
    iso_time_in,
    joint_id,
    name_in,
    raw_of,
    rows_in,
)
from syncd.platforms.base import Platform
from syncd.platforms.shape import Shape, sampled

_SOURCE = "clist"
_ID = r"(?P<id>[A-Za-z0-9_-]{1,100})"
# Where a contest's address leads, by what clist calls the platform.
_PLATFORMS: Mapping[str, tuple[str, re.Pattern[str]]] = {
    "codeforces.com": (
        "codeforces",
        re.compile(r"https://codeforces\.com/contests?/(?P<id>[0-9]{1,18})/?"),
    ),
    "leetcode.com": ("leetcode", re.compile(rf"https://leetcode\.com/contest/{_ID}/?")),
    "codechef.com": ("codechef", re.compile(rf"https://www\.codechef\.com/{_ID}/?")),
    "atcoder.jp": ("atcoder", re.compile(rf"https://atcoder\.jp/contests/{_ID}/?")),
}
_PARAMS: Mapping[str, str | int] = {
    "upcoming": "true",
    "resource__regex": "|".join(map(re.escape, _PLATFORMS)),
    "order_by": "start",
    "limit": 500,
}
_VOLATILE = frozenset({"n_problems", "n_statistics", "parsed_at", "problems"})


class Clist(Platform):
    """clist.by."""

    # "about 10 requests a minute" is what its users tell; it publishes none.
    defaults: ClassVar[PlatformSettings] = PlatformSettings.model_validate(
        {"base_url": "https://clist.by", "rate": "8/min", "slots": 1, "timeout": "30s"}
    )
    kind: ClassVar[str] = "contests"
    announces_contests: ClassVar[bool] = True
    authorization: ClassVar[str] = "ApiKey"
    # Nobody has an account there that we would follow.
    handle_rule: ClassVar[re.Pattern[str]] = re.compile(r"(?!)")

    @property
    def can_announce(self) -> bool:
        """Only who has a key is answered; the token is `user:key`."""
        return not self.client.credential.is_anonymous

    async def fetch(self, account: Account) -> Fetched:
        """Refuse: it knows of contests alone."""
        raise AccountUnsuitable(f"{account.handle!r}: clist tells of contests, of no account")

    async def fetch_contests(self) -> ContestList:
        """Read what runs and what is to come on all platforms that it tells of."""
        if not self.can_announce:
            raise CredentialsRejected(
                "cannot read contests on clist: it answers only who has a key",
                hint='set credentials of [platforms.clist] (token "user:key"), '
                "or leave clist out of the job",
            )
        request = Request(
            segments=("api", "v4", "contest"),
            params=_PARAMS,
            ends_with_slash=True,
            is_retried=False,
            follows_redirects=False,
        )
        response = await self.client.request(request)
        with sampled(response):
            if response.status != 200:
                raise BadPayload(f"cannot read contests on clist: HTTP {response.status}")
            return await asyncio.to_thread(to_contests, response.data)


def to_contests(data: Any) -> ContestList:
    """Map an answer; what is of other platforms is passed over.

    Raises:
        BadPayload: it is no list of contests.
    """
    return collect(_SOURCE, rows_in(Shape(data, _SOURCE), "objects"), _contest, is_whole=False)


def _contest(row: Shape) -> Contest | None:
    platform, address = _PLATFORMS.get(row.needed_text("resource"), ("", None))
    if address is None:
        return None
    url, seconds = row.needed_text("href"), row.needed_count("duration")
    found = address.fullmatch(url)
    if found is None:
        raise row.wrong("href", f"address of a contest on {platform}")
    starts_at, ends_at = (iso_time_in(row, key, is_utc=True) for key in ("start", "end"))
    if ends_at < starts_at:
        raise row.wrong("end", "end after the start")
    end_after(row, "duration", starts_at, seconds)
    return Contest(
        platform=platform,
        external_id=found["id"],
        joint_id=joint_id(platform, found["id"]),
        name=name_in(row, "event"),
        url=url,
        starts_at=starts_at,
        ends_at=ends_at,
        duration_seconds=seconds,
        raw=raw_of(row, without=_VOLATILE),
    )
