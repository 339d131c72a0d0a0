"""What every recorded answer of GitHub must come to; a file without a line here fails the suite."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from syncd.errors import CredentialsRejected, PlatformDown, RateLimited, SyncdError

GOOD = "github/user_yurinnick_200_2023.json"
GOOD_PATH = "/users/yurinnick"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A good answer: the row of `profiles` it must become, whose raw column is the whole file."""

    handle: str
    external_id: str
    columns: Mapping[str, Any]
    etag: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Marked:
    """An answer that is about one account: no profile, and what the account's state says."""

    handle: str
    outcome: str
    state: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """An answer that is about the platform: what a fetch raises when it never gets another one,
    after how many requests, and the first pause of the gate.
    """

    error: type[SyncdError]
    outcome: str
    calls: int
    cause: str = ""
    pause_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """An answer of another endpoint: what the client returns and what is left of the quota."""

    status: int
    quota_left: int
    saved: int = 0
    calls: int = 1
    data: Mapping[str, Any] = field(default_factory=dict)


def avatar(host: str, number: int, version: int = 4) -> str:
    return f"https://{host}.githubusercontent.com/u/{number}?v={version}"


Expectation = Stored | Marked | Refused | Answered

EXPECTED: Mapping[str, Expectation] = MappingProxyType({
    GOOD: Stored(
        handle="yurinnick",
        external_id="2941035",
        columns={
            "name": "Nikolay Yurin",
            "avatar_url": avatar("avatars", 2941035),
            "bio": None,
            "followers": 13,
            "following": 5,
            "public_repos": 71,
        },
        etag='W/"7015139231122fae10cfe49e68ed43f6bcc74d3f51c95af3fb2362d09dd6fbcc"',
    ),
    "github/user_by_id_583231_octocat_200_2020.json": Stored(
        handle="octocat",
        external_id="583231",
        columns={
            "name": "The Octocat",
            "avatar_url": avatar("avatars3", 583231),
            "bio": None,
            "followers": 3222,
            "following": 9,
            "public_repos": 8,
        },
        etag='W/"2409e6c518ebe03ecde9243734f63f93"',
    ),
    "github/user_shipit_bot_200_2018.json": Stored(
        handle="shipit[bot]",
        external_id="32029183",
        columns={
            "name": None,
            "avatar_url": avatar("avatars2", 12433555),
            "bio": None,
            "followers": 0,
            "following": 0,
            "public_repos": 0,
        },
        etag='W/"27d84f3f85fd59ed1df2f911808ae73c"',
    ),
    "github/user_sigmavirus24_200_2014.json": Stored(
        handle="sigmavirus24",
        external_id="240830",
        columns={
            "name": "Ian Cordasco",
            "avatar_url": avatar("avatars", 240830, 2),
            "bio": None,
            "followers": 114,
            "following": 26,
            "public_repos": 77,
        },
        etag='"73ff57ac28d81e87cc04567e35682b1a"',
    ),
    "github/user_suspended_ghes_200.json": Marked(
        handle="kartikpatodi",
        outcome="unsuitable",
        state="quarantined",
        reason="'kartikpatodi' is suspended on github",
    ),
    "github/error_404_user_2012.json": Marked(
        handle="ThisUserShouldReallyNotExist",
        outcome="not_found",
        state="active",
        reason="'ThisUserShouldReallyNotExist' does not exist on github",
    ),
    "github/error_401_bad_credentials_2012.json": Refused(
        error=CredentialsRejected, outcome="config_error", calls=1
    ),
    # No word about how long: a minute, then two, which is too long to wait through in place.
    "github/error_403_primary_limit_2013.json": Refused(
        error=RateLimited, outcome="rate_limited", calls=2, cause="quota used up", pause_seconds=60
    ),
    "github/error_403_secondary_body_only.json": Refused(
        error=RateLimited,
        outcome="rate_limited",
        calls=2,
        cause="secondary limit",
        pause_seconds=60,
    ),
    "github/error_403_abuse_secondary_2018.json": Refused(
        error=RateLimited,
        outcome="rate_limited",
        calls=4,
        cause="secondary limit",
        pause_seconds=60,
    ),
    "github/error_429_secondary_retry_after_http_date.json": Refused(
        error=RateLimited, outcome="rate_limited", calls=4, cause="secondary limit", pause_seconds=8
    ),
    "github/error_500.json": Refused(error=PlatformDown, outcome="transient", calls=4),
    "github/error_503_html_body.html": Refused(error=PlatformDown, outcome="transient", calls=4),
    "github/conditional_1_repo_200_2013.json": Answered(
        status=200, quota_left=4988, data={"id": 12156762, "full_name": "akfish/PyGithub"}
    ),
    "github/conditional_2_304_empty.txt": Answered(status=304, quota_left=4988, saved=1),
    "github/conditional_3_repo_200_changed_2013.json": Answered(
        status=200, quota_left=4987, data={"id": 12156762, "full_name": "akfish/PyGithub"}
    ),
    # It leads on to another address, which conditional_1 answers.
    "github/redirect_301_moved_2018.json": Answered(
        status=200, quota_left=4988, calls=2, data={"id": 12156762}
    ),
    "github/rate_limit_200_2023.json": Answered(
        status=200,
        quota_left=4904,
        data={"rate": {"limit": 5000, "used": 96, "remaining": 4904, "reset": 1684195041}},
    ),
    # Another resource than the core quota: only our own count of 5,000 an hour goes down.
    "github/graphql_repo_200_2024.json": Answered(
        status=200,
        quota_left=4999,
        data={"data": {"repository": {"url": "https://github.com/PyGithub/PyGithub"}}},
    ),
    "github/graphql_not_found_200_with_errors_2024.json": Answered(
        status=200, quota_left=4999, data={"data": {"node": None}}
    ),
})  # fmt: skip
