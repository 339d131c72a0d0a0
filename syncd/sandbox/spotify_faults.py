"""What Spotify's Web API answers beside pages of plays, as it was seen or is documented."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from syncd.sandbox.answer import Answer, encoded
from syncd.sandbox.base import Odd
from syncd.sandbox.draw import Draw
from syncd.sandbox.faults import FAULTS, HTML, JSON, Fault, instead, rewritten
from syncd.sandbox.spotify_grants import ACCESS_EXPIRED

PLAYED = "/v1/me/player/recently-played"
NOT_REGISTERED = "User not registered in the Developer Dashboard"
NO_SCOPE = "Insufficient client scope"
LIMITED = "API rate limit exceeded"


def error_answer(
    status: int, message: str, *, reason: str = "", headers: Mapping[str, str] | None = None
) -> Answer:
    """Return an error in the one shape that the Web API has for it."""
    error: dict[str, Any] = {"status": status, "message": message}
    if reason:
        error["reason"] = reason
    sent = {"Content-Type": JSON, **(headers or {})}
    return Answer(status=status, headers=sent, body=encoded({"error": error}))


def api_error(status: int, message: str, reason: str = "") -> Fault:
    """Answer with an error of the Web API."""
    return _given(error_answer(status, message, reason=reason))


def rate_limited(
    retry_after: int | None = 30, reason: str = "", *, is_empty: bool = False
) -> Fault:
    """Refuse the app: for a moment, for the rest of the day (79,892 s were seen), or untold.

    Args:
        retry_after: in seconds; 0 was seen too. None: the header is missing.
        reason: `QUOTA_EXCEEDED` where it is no matter of pace.
        is_empty: without a body, as at the top of the hour.
    """
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    answer = error_answer(429, LIMITED, reason=reason, headers=headers)
    return _given(replace(answer, headers=headers, body=b"") if is_empty else answer)


def not_registered(*, as_text: bool = False) -> Fault:
    """Refuse somebody whom an app in development mode does not name."""
    if as_text:
        return instead(NOT_REGISTERED, status=403, content_type="text/plain")
    return api_error(403, NOT_REGISTERED)


def no_scope() -> Fault:
    """Refuse for a consent that does not hold this right."""
    return api_error(403, NO_SCOPE)


def access_expired() -> Fault:
    """Say that an access token has expired although it has not."""
    return api_error(401, ACCESS_EXPIRED)


def no_content() -> Fault:
    """Answer as the player's other endpoints do where there is nothing to tell."""
    return _given(Answer(status=204))


def doubled() -> Fault:
    """Tell of every play of a page twice."""
    return rewritten(lambda body: {**body, "items": [*body["items"], *body["items"]]})


def shuffled(seed: int = 0) -> Fault:
    """Tell of the plays of a page in any order."""

    def shuffle(body: dict[str, Any]) -> dict[str, Any]:
        items = sorted(body["items"], key=lambda item: Draw(seed, str(item)).below(65536))
        return {**body, "items": items}

    return rewritten(shuffle)


def _given(given: Answer) -> Fault:
    return lambda answer: replace(
        answer, status=given.status, headers=given.headers, body=given.body
    )


def _with_items(items: Any) -> Fault:
    return rewritten(lambda body: {**body, "items": items})


SPOTIFY_FAULTS: Mapping[str, Callable[..., Fault]] = MappingProxyType(
    {
        **FAULTS,
        **{
            maker.__name__: maker
            for maker in (
                api_error, rate_limited, not_registered, no_scope, access_expired, no_content,
                doubled, shuffled,
            )
        },
    }
)  # fmt: skip
"""Every fault by its name, those that everybody may have among them."""

ODD: Mapping[str, Odd] = MappingProxyType({
    "not registered, as text": Odd(not_registered(as_text=True), "unsuitable", PLAYED),
    "not registered": Odd(not_registered(), "unsuitable", PLAYED),
    "forbidden": Odd(api_error(403, "Forbidden"), "blocked", PLAYED),
    "forbidden page": Odd(instead("<html></html>", status=403, content_type=HTML), "blocked",
                          PLAYED),
    "scope missing": Odd(no_scope(), "reauth_required", PLAYED),
    "limited": Odd(rate_limited(2), "rate_limited", PLAYED),
    "limited for nothing": Odd(rate_limited(0), "rate_limited", PLAYED),
    "limited for a day": Odd(rate_limited(80_000), "rate_limited", PLAYED),
    "limited without a wait": Odd(rate_limited(None), "rate_limited", PLAYED),
    "limited without a word": Odd(rate_limited(None, is_empty=True), "rate_limited", PLAYED),
    "quota used up": Odd(rate_limited(80_000, "QUOTA_EXCEEDED"), "rate_limited", PLAYED),
    "server error": Odd(api_error(500, "Server error."), "transient", PLAYED),
    "bad gateway": Odd(api_error(502, "Bad gateway."), "transient", PLAYED),
    "unavailable": Odd(instead("upstream request timeout", status=503, content_type="text/plain"),
                       "transient", PLAYED),
    "no items": Odd(instead("{}"), "schema_error", PLAYED),
    "items as object": Odd(_with_items({}), "schema_error", PLAYED),
    "items of text": Odd(_with_items(["x"]), "schema_error", PLAYED),
    "a list": Odd(instead("[]"), "schema_error", PLAYED),
})  # fmt: skip
"""The odd answers of the API, and what they are."""
