"""GitHub profiles over REST: by login at first, by numeric id from then on. Sweeps by GraphQL.

Facts: docs.github.com/rest/users/users, /rest/using-the-rest-api/rate-limits-for-the-rest-api and
/rest/using-the-rest-api/best-practices-for-using-the-rest-api. A login can be renamed and taken by
a stranger; the id stays. A 304 to an authorized request costs no primary quota; the ETag belongs
to the credential (and Accept) it came with.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, ClassVar

from syncd.config.models import PlatformSettings
from syncd.errors import AccountNotFound, AccountUnsuitable, BadPayload, ItemError, WrongAccount
from syncd.model.account import Account
from syncd.model.profile import Fetched, Profile, Unchanged
from syncd.model.scheme import Scheme
from syncd.model.sweep import Swept
from syncd.outbound.answers import Classifier, Kind, Response, Verdict, judge_by_status
from syncd.outbound.credentials import Credential
from syncd.outbound.quota import QuotaReport
from syncd.outbound.reader import excerpt
from syncd.outbound.request import Request
from syncd.platforms.base import Platform
from syncd.platforms.github_sweep import (
    GRAPHQL,
    MOST_IDS,
    judge_errors,
    mark_of,
    question,
    read_sweep,
)

_SECONDARY = ("secondary rate limit", "abuse detection mechanism")
# GitHub's own words, of which each is about the credential and none about the account asked for.
_REFUSED = {
    "your account was suspended": "the credential's owner is suspended",
    "installation has been suspended": "the app's installation is suspended",
    "resource not accessible by": "the credential has no right to this",
}
_PRIMARY = "rate limit exceeded"
_LARGEST = 2**63 - 1
_WHOLE = re.compile(r"\d{1,12}", re.ASCII)
_SHOWN = 50
_MAPPED = {
    "name": str,
    "avatar_url": str,
    "bio": str,
    "followers": int,
    "following": int,
    "public_repos": int,
}


class GitHub(Platform):
    """api.github.com, or a GitHub Enterprise Server by its own base_url."""

    # Secondary limits: 100 requests at a time, 900 points a minute (a GET is one): well below both.
    defaults: ClassVar[PlatformSettings] = PlatformSettings.model_validate(
        {
            "base_url": "https://api.github.com",
            "rate": "10/s",
            "quota": "5000/h",
            "slots": 10,
            "timeout": "30s",
        }
    )
    # Letters, digits and hyphens, 39 at most; an app's user ends in [bot], one managed by an
    # enterprise in _shortcode. Old logins have hyphens where new ones may not.
    handle_rule: ClassVar[re.Pattern[str]] = re.compile(
        r"(?!.{51})[A-Za-z0-9][A-Za-z0-9-]*(?:_[A-Za-z0-9]+)?(?:\[bot\])?"
    )
    headers: ClassVar[dict[str, str]] = {
        "Accept": "application/vnd.github+json",
        "X-GitHub-Api-Version": "2022-11-28",
    }
    schemes: ClassVar[tuple[Scheme, ...]] = (Scheme.BEARER, Scheme.BASIC, Scheme.INSTALLATION)
    anonymous_quota: ClassVar[int | None] = 60
    sweep_size: ClassVar[int] = MOST_IDS

    @classmethod
    def classifier(cls, credential: Credential) -> Classifier:
        """Judge by GitHub's rules; only authorized 304s are free."""

        def classify(response: Response) -> Verdict:
            return judge(response, is_authorized=not credential.is_anonymous)

        return classify

    async def fetch(self, account: Account) -> Fetched | Unchanged:
        """Read a profile: by id where it is known, so that a renamed user is followed."""
        asked_by_id = bool(account.external_id)
        path = ("user", account.external_id) if asked_by_id else ("users", account.handle)
        credential = self.client.credential
        fingerprint, has_etags = credential.fingerprint, credential.has_etags
        headers = {}
        if has_etags and account.etag and account.etag_credential == fingerprint:
            headers["If-None-Match"] = account.etag
        response = await self.client.request(Request(segments=path, headers=headers))
        if response.status == 304 and headers:
            return Unchanged()
        if response.status in {404, 410}:
            raise AccountNotFound(f"{_name(account)} does not exist on github")
        if response.status != 200:
            raise BadPayload(f"cannot read {_name(account)} on github: HTTP {response.status}")
        try:
            profile = to_profile(response.data, account)
        except ItemError as error:
            error.sample = excerpt(response.body)
            raise
        return Fetched(
            profile=profile,
            etag=response.etag if has_etags else "",
            etag_credential=fingerprint,
            mark=mark_of(response.data),
        )

    async def check_credential(self) -> bool:
        """Ask how much of the quota is left, which GitHub answers for nothing."""
        if self.client.credential.is_anonymous:
            return False
        await self.client.request(Request(segments=("rate_limit",)))
        return True

    @property
    def can_sweep(self) -> bool:
        """Whether this credential may ask about many accounts: GraphQL takes tokens only."""
        return self.client.credential.scheme in {Scheme.BEARER, Scheme.INSTALLATION}

    async def sweep(self, accounts: Sequence[Account]) -> Swept:
        """Ask GraphQL once about users whose node ids are known."""
        # An Enterprise Server has REST at /api/v3 and GraphQL beside it, at /api/graphql.
        is_server = self.client.base_url.endswith("/api/v3")
        request = Request(
            method="POST",
            segments=("graphql",),
            up=1 if is_server else 0,
            json=question(accounts),
            resource=GRAPHQL,
            is_divisible=True,
        )
        return read_sweep(await self.client.request(request), accounts)


def judge(response: Response, *, is_authorized: bool) -> Verdict:
    """Say what an answer means; 403 and 429 hide four different things."""
    # Who is refused is counted as nobody: what a 401 tells is the window of our address.
    quota = None if response.status == 401 else _quota(response)
    if response.status in {403, 429}:
        return replace(_judge_refusal(response, quota), quota=quota)
    has_errors = isinstance(response.data, dict) and "errors" in response.data
    if has_errors and (refusal := judge_errors(response.data, _wait_seconds(quota))):
        return replace(refusal, quota=quota)
    plain = judge_by_status(response)
    if plain.kind is Kind.OK and response.status >= 400 and not _is_object(response):
        # A proxy's words, or base_url leads elsewhere: nobody is "not found" because of that.
        return Verdict(kind=Kind.BLOCKED, cause=f"HTTP {response.status} that is not the API's")
    if plain.kind is Kind.OK:
        return Verdict(quota=quota, is_free=response.status == 304 and is_authorized)
    return replace(plain, quota=quota)


def _judge_refusal(response: Response, quota: QuotaReport | None) -> Verdict:
    """Tell limits from a block and from a refused credential, surest sign first."""
    text = response.text.lower()
    seconds = response.retry_after_seconds
    is_secondary = "gh-limited-by" in response.headers or any(sign in text for sign in _SECONDARY)
    if seconds is not None or is_secondary:
        return Verdict(kind=Kind.PAUSE, cause="secondary limit", pause_seconds=seconds)
    if response.headers.get("x-ratelimit-remaining") == "0" or _PRIMARY in text:
        wait = _wait_seconds(quota)
        return Verdict(kind=Kind.PAUSE, cause="quota used up", pause_seconds=wait, is_used_up=True)
    if response.status == 429:
        return Verdict(kind=Kind.PAUSE, cause="HTTP 429")
    for words, cause in _REFUSED.items():
        if words in text:
            return Verdict(kind=Kind.REJECTED, cause=f"HTTP 403: {cause}")
    # A page instead of the API, or one account kept from us: who sees several of them in a row
    # knows that it is not the account.
    return Verdict(kind=Kind.BLOCKED, cause="HTTP 403")


def _is_object(response: Response) -> bool:
    """Tell whether the body is what all of GitHub's own errors are."""
    return isinstance(response.data, dict)


def _wait_seconds(quota: QuotaReport | None) -> float | None:
    """Return how long to wait for a new window; None, a growing pause, where that is not told."""
    # One second more: the reset is told in whole seconds.
    return None if quota is None else quota.resets_in_seconds + 1


def _quota(response: Response) -> QuotaReport | None:
    """Return what the headers say about the resource that was drawn on."""
    headers = response.headers
    remaining = headers.get("x-ratelimit-remaining", "")
    reset = headers.get("x-ratelimit-reset", "")
    left, resets_at = _whole(remaining), _whole(reset)
    if left is None or resets_at is None:
        return None
    return QuotaReport(
        remaining=left,
        resets_in_seconds=max(response.seconds_until(resets_at), 0.0),
        limit=_whole(headers.get("x-ratelimit-limit", "")),
        resource=headers.get("x-ratelimit-resource", ""),
    )


@lru_cache(maxsize=64)
def _whole(text: str) -> int | None:
    return int(text) if _WHOLE.fullmatch(text) else None


def to_profile(data: Any, account: Account) -> Profile:
    """Map an answer to a profile.

    Raises:
        BadPayload: a needed key is missing or wrong.
        WrongAccount: the answer is about somebody else.
        AccountUnsuitable: an organization, or a suspended user of an Enterprise Server.
    """
    if not isinstance(data, dict):
        raise BadPayload(f"{_name(account)}: the answer is no object but {type(data).__name__}")
    number, login = _required(data, account, "id", int), _required(data, account, "login", str)
    if account.external_id and str(number) != account.external_id:
        raise WrongAccount(f"{_name(account)}: github answered about id {number}")
    if not account.external_id and login.lower() != account.handle.lower():
        raise WrongAccount(f"{_name(account)}: github answered about {login[:_SHOWN]!r}")
    if data.get("type") == "Organization":
        raise AccountUnsuitable(f"{_name(account)} is an organization, not a person")
    if data.get("suspended_at") is not None:
        raise AccountUnsuitable(f"{_name(account)} is suspended on github")
    mapped: dict[str, Any] = {key: data.get(key) for key in _MAPPED}
    for (key, value), kind in zip(mapped.items(), _MAPPED.values(), strict=True):
        if value is not None:
            _check(value, account, key, kind)
    return Profile(external_id=str(number), handle=login, **mapped, raw=data)


def _required(data: dict[str, Any], account: Account, key: str, kind: type) -> Any:
    value = data.get(key)
    _check(value, account, key, kind)
    if not value:
        raise BadPayload(f"{_name(account)}: $.{key} is missing")
    return value


def _check(value: Any, account: Account, key: str, kind: type[Any]) -> None:
    """Accept a value of the wanted type or none; a wrong type is an odd answer, never a zero."""
    if value is None:
        return
    if type(value) is not kind:
        raise BadPayload(
            f"{_name(account)}: $.{key} is no {kind.__name__}: {str(value)[:_SHOWN]!r}"
        )
    if isinstance(value, int) and not 0 <= value <= _LARGEST:
        raise BadPayload(f"{_name(account)}: $.{key} is out of range: {str(value)[:_SHOWN]}")


def _name(account: Account) -> str:
    return repr(account.handle)
