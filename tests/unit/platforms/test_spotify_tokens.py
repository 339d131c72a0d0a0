from __future__ import annotations

import traceback
from typing import Any

import pytest
from fakes.answers import answer
from fakes.payloads import find_recorded

from syncd.errors import BadPayload, GrantRefused
from syncd.outbound.answers import Kind
from syncd.platforms.spotify_tokens import is_token, judge_tokens, read_renewed

OLD, NEW, ACCESS = "canary-refresh-old", "canary-refresh-new", "canary-access"


def test_documented_answer_is_read(record_property: Any) -> None:
    recorded = find_recorded("spotify/token_refresh_200_doc.json")

    renewed = read_renewed(answer(200, recorded.json()), OLD)

    assert (renewed.access_token, renewed.refresh_token) == ("NgCXRK...MzYjw", "NgAagA...Um_SHo")
    assert (renewed.expires_in_seconds, renewed.scopes) == (
        3600,
        "user-read-private user-read-email",
    )
    record_property("payload", recorded.file)


@pytest.mark.parametrize("rotated", [{}, {"refresh_token": None}, {"refresh_token": OLD}])
def test_refresh_token_that_stays_good_is_not_told_again(rotated: dict[str, Any]) -> None:
    renewed = read_renewed(answer(200, {"access_token": ACCESS, **rotated}), OLD)

    assert (renewed.access_token, renewed.refresh_token) == (ACCESS, "")


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        (60, 60),
        (3600.5, 3600.5),
        (-5, 0),
        (10**30, 86_400),
        (None, 3600),
        ("1", 3600),
        (True, 3600),
    ],
)
def test_odd_life_of_an_access_token_costs_nobody_the_new_refresh_token(
    told: Any, seconds: float
) -> None:
    data = {"access_token": ACCESS, "refresh_token": NEW, "expires_in": told, "scope": 7}

    renewed = read_renewed(answer(200, data), OLD)

    assert (renewed.expires_in_seconds, renewed.refresh_token) == (seconds, NEW)
    assert renewed.scopes == ""


@pytest.mark.parametrize(
    "data",
    [
        None,
        [ACCESS],
        ACCESS,
        {"refresh_token": NEW},
        {"access_token": ""},
        {"access_token": [ACCESS], "refresh_token": NEW},
        {"access_token": f"{ACCESS}\r\nX-Evil: 1", "refresh_token": NEW},
        {"access_token": ACCESS, "refresh_token": {"value": NEW}},
        {"access_token": ACCESS, "refresh_token": "canary-\u00e9"},
    ],
)
def test_answer_without_a_usable_token_is_refused_and_never_told(data: Any) -> None:
    with pytest.raises(BadPayload) as raised:
        read_renewed(answer(200, data), OLD)

    told = f"{traceback.format_exception(raised.value)}{raised.value.sample}{raised.value.hint}"
    assert "canary" not in told.replace(__file__, "")
    assert str(raised.value).startswith("cannot refresh a grant on spotify: $.")


@pytest.mark.parametrize("words", ["Refresh token revoked", "Invalid refresh token", "", None, 7])
def test_refused_refresh_token_is_told_as_such(words: Any) -> None:
    refused = answer(400, {"error": "invalid_grant", "error_description": words})

    assert judge_tokens(refused).kind is Kind.OK
    with pytest.raises(GrantRefused, match="spotify refuses the grant: invalid_grant"):
        read_renewed(refused, OLD)


def test_recorded_refusal_is_one(record_property: Any) -> None:
    recorded = find_recorded("spotify/token_refresh_400_invalid_grant.json")

    with pytest.raises(GrantRefused, match="Refresh token revoked"):
        read_renewed(answer(400, recorded.json()), OLD)
    record_property("payload", recorded.file)


@pytest.mark.parametrize("status", [400, 401, 403])
@pytest.mark.parametrize(
    "code", ["invalid_client", "invalid_request", "unauthorized_client", "unsupported_grant_type"]
)
def test_fault_of_the_app_is_about_the_credential(status: int, code: str) -> None:
    verdict = judge_tokens(answer(status, {"error": code, "error_description": "No such client"}))

    assert (verdict.kind, verdict.cause) == (Kind.REJECTED, f"{code}: No such client")


@pytest.mark.parametrize(
    ("response", "kind"),
    [
        (answer(401), Kind.REJECTED),
        (answer(403, body=b"no"), Kind.BLOCKED),
        (answer(302, Location="/login"), Kind.BLOCKED),
        (answer(500, {"error": "invalid_client"}), Kind.TRANSIENT),
        (answer(500, {"error": "server_error"}), Kind.TRANSIENT),
        (answer(400, {"error": "server_error"}), Kind.TRANSIENT),
        (answer(503, body=b"<html>"), Kind.TRANSIENT),
        (answer(403, body=b"<html>Just a moment...</html>"), Kind.BLOCKED),
        (answer(400, {"error": {"status": 400}}), Kind.OK),
        (answer(404, {"error": "x"}), Kind.OK),
        (answer(200, {"access_token": ACCESS}), Kind.OK),
    ],
)
def test_other_answers_mean_what_http_means(response: Any, kind: Kind) -> None:
    assert judge_tokens(response).kind is kind


@pytest.mark.parametrize(
    "response",
    [answer(400, {"error": "new_error"}), answer(400, {"error": {"status": 400}}), answer(404)],
)
def test_other_failure_is_that_users_error_and_says_nothing_of_the_grant(response: Any) -> None:
    with pytest.raises(BadPayload, match=r"^cannot refresh a grant on spotify: HTTP 40"):
        read_renewed(response, OLD)


@pytest.mark.parametrize(
    ("text", "is_one"), [("a-b_C.9=", True), ("", False), ("a b", False), ("a\n", False)]
)
def test_what_cannot_stand_in_a_header_is_no_token(text: str, is_one: bool) -> None:
    assert is_token(text) is is_one
