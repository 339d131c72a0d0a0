"""Spotify: what users listened to, each read by a grant of their own.

The app is known by its client_id; who is asked about, the access token alone tells. Access tokens
live for an hour, and a refresh token, which gives new ones, for six months from the user's consent.
Limits are per app, over a window of 30 seconds, and published nowhere; beside them there is a quota
of a day, which a bulk import uses up (github.com/spotify/web-api/issues/589).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import ClassVar

from syncd.config.models import PlatformSettings
from syncd.errors import (
    AccessExpired,
    AccountUnsuitable,
    BadPayload,
    ReauthRequired,
    RunError,
)
from syncd.model.account import Account
from syncd.model.grant import Renewed
from syncd.model.play import Heard
from syncd.model.scheme import Scheme
from syncd.outbound.answers import Classifier, Kind, Response, Verdict, judge_by_status
from syncd.outbound.credentials import Credential
from syncd.outbound.reader import excerpt
from syncd.outbound.request import Request
from syncd.platforms.base import Platform
from syncd.platforms.shape import blocked, is_challenge, sampled
from syncd.platforms.spotify_plays import PAGE, read_page
from syncd.platforms.spotify_tokens import is_token, judge_tokens, read_renewed

ACCOUNTS = "accounts"

# At the top of the hour it refuses with neither header nor body (web-api issue 1267).
_REST_SECONDS = 30.0
# "Retry-After: 0" is sent as well (issue 542).
_SHORTEST_SECONDS = 1.0
_LOOKED_AT = 4_096
# "User not registered in the Developer Dashboard", also without JSON around it.
_UNREGISTERED = re.compile(rb"not (?:be )?registered", re.IGNORECASE)
_SCOPE = re.compile(rb"insufficient client scope|permissions missing", re.IGNORECASE)
_QUOTA = re.compile(rb"quota[_ ]exceeded", re.IGNORECASE)


class Spotify(Platform):
    """api.spotify.com, and accounts.spotify.com, which renews access, as its companion."""

    kind: ClassVar[str] = "listening"
    # One user in two seconds, as the sync that this replaces: 1,800 users an hour.
    defaults: ClassVar[PlatformSettings] = PlatformSettings.model_validate(
        {"base_url": "https://api.spotify.com/v1", "rate": "1/2s", "slots": 4, "timeout": "30s"}
    )
    companions: ClassVar[Mapping[str, str]] = {ACCOUNTS: "https://accounts.spotify.com"}
    has_one_app: ClassVar[bool] = True
    # 28 letters and digits, of old accounts the name they chose; it is never part of an address.
    handle_rule: ClassVar[re.Pattern[str]] = re.compile(r"(?=.*[A-Za-z0-9])[A-Za-z0-9_.-]{1,100}")
    headers: ClassVar[Mapping[str, str]] = {"Accept": "application/json"}
    schemes: ClassVar[tuple[Scheme, ...]] = (Scheme.BASIC, Scheme.PUBLIC)

    @classmethod
    def classifier(cls, credential: Credential) -> Classifier:
        """Judge by the rules of the service that is asked."""
        return judge_accounts if credential.name == ACCOUNTS else judge

    @classmethod
    def companion_credential(cls, key: str, credentials: Sequence[Credential]) -> Credential:
        """Renew access as the app that users granted it to."""
        return credentials[0].at(key)

    def check_size(self, accounts: int) -> None:
        """Refuse a run without the app's credential: no grant can be renewed.

        Raises:
            RunError: there are accounts to read, and no credential.
        """
        if accounts and self.client.credential.is_anonymous:
            raise RunError(
                f"{accounts:,} {self.name} accounts cannot be read without the app's credential",
                hint=f"set credentials of [platforms.{self.name}]: client_id and client_secret",
            )

    async def fetch(self, account: Account) -> Heard:
        """Read what a user listened to after `account.access.after`, the last 50 plays at most.

        Raises:
            AccessExpired: the access token is not taken: a refresh may help, once.
            ReauthRequired: the user granted too little.
            AccountUnsuitable: the app may not read this user.
            BadPayload: as of every platform.
        """
        access = account.access
        if access is None or not is_token(access.token):
            raise AccessExpired(f"{account.handle!r} has no access token that could be sent")
        params: dict[str, str | int] = {"limit": PAGE}
        if access.after is not None:
            params["after"] = max(int(access.after.timestamp() * 1000), 0)
        response = await self.client.request(
            Request(
                segments=("me", "player", "recently-played"),
                params=params,
                authorization=f"Bearer {access.token}",
                about=str(account.id),
            )
        )
        with sampled(response):
            check_answer(response, account.handle)
            if response.status == 204:
                return Heard(plays=())
            now = max(response.received_at, response.server_time())
            return read_page(response.data, account.handle, now)

    async def refresh(self, refresh_token: str) -> Renewed:
        """Ask for a new access token, with which a new refresh token may come.

        It is sent once: where its answer is lost (`PlatformDown.is_answer_lost`), the refresh token
        may have been replaced, and nobody knows by what.

        Raises:
            GrantRefused: the refresh token is refused.
            BadPayload: the answer tells of no access token.
            RateLimited, PlatformDown, PlatformBlocked, CredentialsRejected: the platform; nothing
                is known of the grant.
        """
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        credential = self.client.credential
        if credential.scheme is Scheme.PUBLIC:
            form["client_id"] = credential.client_id
        response = await self.companion[ACCOUNTS].request(
            Request(
                method="POST",
                segments=("api", "token"),
                form=form,
                about=hashlib.sha256(refresh_token.encode()).hexdigest()[:12],
                is_repeatable=False,
                tells_secrets=True,
                follows_redirects=False,
            )
        )
        return read_renewed(response, refresh_token)


def judge(response: Response) -> Verdict:
    """Say what an answer of the API means: what it says of a user's access is an answer."""
    if is_challenge(response):
        return blocked("a challenge page")
    is_about_user = response.status == 401 or _refusal_of(response) is not None
    return Verdict() if is_about_user else _pause(response) or judge_by_status(response)


def judge_accounts(response: Response) -> Verdict:
    """Say what an answer of the token endpoint means."""
    return _pause(response) or judge_tokens(response)


def _pause(response: Response) -> Verdict | None:
    """Return the pause that an answer asks the whole app for, None where it asks for none."""
    if response.status != 429:
        return None
    seconds = response.retry_after_seconds
    is_used_up = _QUOTA.search(response.body, 0, _LOOKED_AT) is not None
    return Verdict(
        kind=Kind.PAUSE,
        cause="quota used up" if is_used_up else "rate limit",
        pause_seconds=_REST_SECONDS if seconds is None else max(seconds, _SHORTEST_SECONDS),
    )


def check_answer(response: Response, who: str) -> None:
    """Raise what an answer says about a user instead of plays.

    Raises:
        AccessExpired, ReauthRequired, AccountUnsuitable: of this user.
        BadPayload: it says nothing that is documented.
    """
    refusal = _refusal_of(response)
    if refusal is _SCOPE:
        raise ReauthRequired(
            f"{who!r} did not grant spotify's scope user-read-recently-played",
            hint="let the user connect again and ask for that scope",
        )
    if refusal is _UNREGISTERED:
        raise AccountUnsuitable(
            f"{who!r} may not use the app on spotify: it is in development mode and does not list "
            "this user",
            hint="add the user in the app's dashboard, or ask Spotify for an extended quota; "
            "connecting again does not help",
        )
    words = excerpt(response.body)
    if response.status == 401:
        raise AccessExpired(f"spotify does not take the access token of {who!r}: {words}")
    if response.status not in {200, 204}:
        raise BadPayload(f"cannot read {who!r} on spotify: HTTP {response.status}: {words}")


def _refusal_of(response: Response) -> re.Pattern[bytes] | None:
    """Return which words refuse this user alone; None where they do not."""
    if response.status not in {401, 403}:
        return None
    known = (_SCOPE, _UNREGISTERED) if response.status == 403 else (_SCOPE,)
    found = (words for words in known if words.search(response.body, 0, _LOOKED_AT))
    return next(found, None)
