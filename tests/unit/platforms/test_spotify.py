from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest
from fakes.answers import OneAnswer, answer
from fakes.clock import FakeClock
from fakes.payloads import find_recorded

from syncd.config.models import PlatformSettings
from syncd.errors import (
    AccessExpired,
    AccountUnsuitable,
    BadPayload,
    ItemError,
    ReauthRequired,
    RunError,
)
from syncd.model.account import Account
from syncd.model.grant import Access
from syncd.model.play import Heard
from syncd.outbound.answers import Kind, Response
from syncd.outbound.credentials import Credential
from syncd.platforms.base import Platform
from syncd.platforms.spotify import ACCOUNTS, Spotify, check_answer, judge, judge_accounts
from syncd.platforms.spotify_tokens import judge_tokens
from syncd.telemetry.bus import Bus

pytest_plugins = ("fakes.payloads",)

BASIC = {"name": "main", "client_id": "app1", "client_secret": "canary-client-secret"}
ACCESS = "canary-access-token"
UNREGISTERED = "User not registered in the Developer Dashboard"
EMPTY = {"items": [], "next": None, "cursors": None, "limit": 50}


def error(status: int, message: str, **more: str) -> Response:
    return answer(status, {"error": {"status": status, "message": message, **more}})


def connected(*credentials: dict[str, str]) -> Sequence[Platform]:
    given = {**dict(Spotify.defaults), "credentials": credentials}
    settings = PlatformSettings.model_validate(given)
    return Spotify.connect("spotify", settings, clock=FakeClock(), bus=Bus(), random=Random(1))


def asking(response: Response, credential: dict[str, str] | None = None) -> tuple[Any, OneAnswer]:
    """Return Spotify where one answer is given to everything, and what keeps what was asked."""
    [spotify] = connected(credential or BASIC)
    one: Any = OneAnswer(response, spotify.client.credential)
    spotify.client, spotify.companion = one, {ACCOUNTS: one}
    return spotify, one


@pytest.fixture
def account() -> Account:
    access = Access(token=ACCESS, after=datetime(2026, 1, 1, 0, 0, 0, 500_000, tzinfo=UTC))
    return Account(id=7, user_key="u", platform="spotify", handle="ada", access=access)


async def test_plays_are_asked_for_with_the_access_of_the_user(account: Account) -> None:
    spotify, one = asking(answer(200, EMPTY))

    assert await spotify.fetch(account) == Heard(plays=[])

    [asked] = one.asked
    assert asked.target() == "/me/player/recently-played?limit=50&after=1767225600500"
    assert asked.authorization == f"Bearer {ACCESS}"
    assert ACCESS not in f"{asked!r} {account!r}"


async def test_who_was_never_read_is_asked_for_all_that_can_be_had(account: Account) -> None:
    spotify, one = asking(answer(200, EMPTY))

    await spotify.fetch(replace(account, access=Access(token=ACCESS)))

    assert one.asked[0].target() == "/me/player/recently-played?limit=50"


async def test_answer_without_content_is_nothing_new(account: Account) -> None:
    spotify, _ = asking(answer(204))

    assert await spotify.fetch(account) == Heard(plays=())


@pytest.mark.parametrize("access", [None, Access(token=""), Access(token="a\r\nX-Evil: 1")])
async def test_token_that_cannot_be_sent_is_not_sent(account: Account, access: Any) -> None:
    spotify, one = asking(answer(200, EMPTY))

    with pytest.raises(AccessExpired):
        await spotify.fetch(replace(account, access=access))

    assert one.asked == []


@pytest.mark.parametrize(
    ("response", "kind"),
    [
        (error(401, "The access token expired"), AccessExpired),
        (error(401, "Invalid access token"), AccessExpired),
        (answer(401, body=b"nothing"), AccessExpired),
        (error(401, "Permissions missing"), ReauthRequired),
        (error(403, "Insufficient client scope"), ReauthRequired),
        (error(403, UNREGISTERED), AccountUnsuitable),
        (answer(403, body=UNREGISTERED.encode(), Content_Type="text/plain"), AccountUnsuitable),
        (error(403, "Check the dashboard, the user may not be registered."), AccountUnsuitable),
        (error(404, "Resource not found"), BadPayload),
        (error(400, "Only valid bearer authentication supported"), BadPayload),
        (answer(202, {}), BadPayload),
    ],
)
async def test_what_an_answer_says_of_a_user_is_no_verdict_on_us(
    account: Account, response: Response, kind: type[ItemError]
) -> None:
    spotify, _ = asking(response)

    assert judge(response).kind is Kind.OK
    with pytest.raises(kind, match="'ada'"):
        await spotify.fetch(account)


def test_user_who_is_not_on_the_list_of_the_app_is_told_what_helps() -> None:
    with pytest.raises(AccountUnsuitable) as raised:
        check_answer(error(403, UNREGISTERED), "ada")

    assert "development mode and does not list this user" in str(raised.value)
    assert "connecting again does not help" in str(raised.value.hint)


@pytest.mark.parametrize(
    ("response", "kind"),
    [
        (error(403, "Active premium subscription required for the owner of the app"), Kind.BLOCKED),
        (answer(403, body=b""), Kind.BLOCKED),
        (answer(403, body=b"<html><title>Just a moment...</title>"), Kind.BLOCKED),
        (answer(500), Kind.TRANSIENT),
        (answer(502, body=b"<html>"), Kind.TRANSIENT),
        (answer(503, Retry_After="5"), Kind.PAUSE),
        (answer(200, EMPTY), Kind.OK),
    ],
)
def test_what_an_answer_says_of_everybody_is_judged(response: Response, kind: Kind) -> None:
    assert judge(response).kind is kind


@pytest.mark.parametrize("judged_by", [judge, judge_accounts])
@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry_After": "7"}, 7),
        ({"Retry_After": "80000"}, 80_000),
        ({"Retry_After": "0"}, 1),
        ({"Retry_After": "-3"}, 30),
        ({"Retry_After": "soon"}, 30),
        ({}, 30),
    ],
)
def test_too_many_requests_pause_the_app_for_as_long_as_it_is_told(
    judged_by: Any, headers: dict[str, str], seconds: float
) -> None:
    verdict = judged_by(answer(429, **headers))

    assert (verdict.kind, verdict.pause_seconds) == (Kind.PAUSE, seconds)
    assert verdict.cause == "rate limit"


@pytest.mark.parametrize("judged_by", [judge, judge_accounts])
@pytest.mark.parametrize(
    "response",
    [
        error(429, "API rate limit exceeded", reason="QUOTA_EXCEEDED"),
        error(429, "Quota exceeded for today"),
        answer(429, body=b"QUOTA_EXCEEDED"),
    ],
)
def test_quota_that_is_used_up_is_told_from_a_rate_limit(judged_by: Any, response: Any) -> None:
    assert judged_by(response).cause == "quota used up"


def test_recorded_refusals_are_judged(record_property: Any) -> None:
    limit = find_recorded("spotify/error_429.json")

    assert judge(answer(429, limit.json())).cause == "rate limit"
    record_property("payload", limit.file)


def test_recorded_answer_of_another_address_is_that_users_error(record_property: Any) -> None:
    nothing = find_recorded("spotify/error_404.json")

    with pytest.raises(BadPayload, match="Resource not found"):
        check_answer(answer(404, nothing.json()), "ada")
    record_property("payload", nothing.file)


async def test_refresh_is_asked_as_the_app_once_and_shows_no_token() -> None:
    spotify, one = asking(answer(200, {"access_token": "canary-new", "expires_in": 3600}))

    await spotify.refresh("canary-refresh")

    [asked] = one.asked
    assert (asked.method, asked.target()) == ("POST", "/api/token")
    assert asked.form == {"grant_type": "refresh_token", "refresh_token": "canary-refresh"}
    assert not asked.is_repeatable
    assert "canary" not in f"{asked!r} {asked.about}"


async def test_app_without_a_secret_names_itself_in_the_form() -> None:
    public = {"name": "main", "client_id": "app1"}
    spotify, one = asking(answer(200, {"access_token": "canary-new"}), public)

    await spotify.refresh("canary-refresh")

    assert one.asked[0].form["client_id"] == "app1"


def test_access_is_renewed_as_the_app_under_limits_of_its_own() -> None:
    [spotify] = connected(BASIC)

    accounts = spotify.companion[ACCOUNTS]
    assert (accounts.base_url, accounts.credential.name) == (
        "https://accounts.spotify.com",
        "accounts",
    )
    assert accounts.credential.headers()["Authorization"].startswith("Basic ")
    assert accounts.credential.mend == "check client_id and client_secret of the credential main"
    assert accounts.gate is not spotify.client.gate


def test_each_service_is_judged_by_its_own_rules() -> None:
    refused = answer(400, {"error": "invalid_client"})

    at_api = Spotify.classifier(Credential.anonymous("main"))(refused)
    at_accounts = Spotify.classifier(Credential.anonymous(ACCOUNTS))(refused)

    assert (at_api.kind, at_accounts) == (Kind.OK, judge_tokens(refused))


def test_nobody_is_read_without_the_apps_credential() -> None:
    [spotify] = connected()

    spotify.check_size(0)
    with pytest.raises(RunError, match="without the app's credential") as raised:
        spotify.check_size(3)
    assert "[platforms.spotify]" in str(raised.value.hint)


@pytest.mark.parametrize(
    ("handle", "is_one"),
    [("31l77y2al5lnn7mxfrmd4bpfhqke", True), ("ada.lovelace_-1", True), ("1234567890", True),
     ("", False), ("a b", False), ("..", False), ("ada/x", False), ("\u0430da", False)],
)  # fmt: skip
def test_handle_is_what_spotify_calls_a_user(handle: str, is_one: bool) -> None:
    assert Spotify.accepts(handle) is is_one
