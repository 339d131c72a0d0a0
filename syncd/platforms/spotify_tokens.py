"""What Spotify's token endpoint answers to a refresh; no error ever holds a piece of a token.

https://developer.spotify.com/documentation/web-api/tutorials/refreshing-tokens
"""

from __future__ import annotations

from typing import Any

from syncd.errors import BadPayload, GrantRefused
from syncd.model.grant import Renewed
from syncd.outbound.answers import Kind, Response, Verdict, judge_by_status
from syncd.outbound.reader import excerpt
from syncd.platforms.shape import blocked, is_challenge

# What it documents, and what it is held to be where it is not told: an access token that ends
# sooner is refused, and refreshed then.
_LIFE_SECONDS = 3_600.0
_LONGEST_LIFE_SECONDS = 86_400.0
_REFUSED = "invalid_grant"
# The app's fault, not the user's (https://www.rfc-editor.org/rfc/rfc6749#section-5.2).
_OURS = frozenset(
    {"invalid_client", "invalid_request", "unauthorized_client", "unsupported_grant_type"}
)
_PASSING = frozenset({"server_error", "temporarily_unavailable"})
_SHOWN = 100


def judge_tokens(response: Response) -> Verdict:
    """Say what an answer means: a refused grant is an answer, about one user."""
    if is_challenge(response):
        return blocked("a challenge page")
    status, code = response.status, _code(response)
    if 300 <= status < 400:
        return blocked(f"a redirect came instead of an answer (HTTP {status})")
    is_refusal = 400 <= status < 500
    if is_refusal and code in _OURS:
        return Verdict(kind=Kind.REJECTED, cause=_words(response))
    if is_refusal and code in _PASSING:
        return Verdict(kind=Kind.TRANSIENT, cause=code)
    return judge_by_status(response)


def read_renewed(response: Response, sent: str) -> Renewed:
    """Return what came of a refresh; `sent` is the refresh token it was asked with.

    Raises:
        GrantRefused: the refresh token is refused.
        BadPayload: the answer is none; what is wrong with it is told without what it holds.
    """
    if response.status == 400 and _code(response) == _REFUSED:
        raise GrantRefused(f"spotify refuses the grant: {_words(response)}")
    if response.status != 200:
        raise BadPayload(f"cannot refresh a grant on spotify: HTTP {response.status}")
    data = response.data if isinstance(response.data, dict) else {}
    refresh_token = _token(data, "refresh_token") or ""
    access_token = _token(data, "access_token")
    if access_token is None:
        raise BadPayload("cannot refresh a grant on spotify: $.access_token is missing")
    scopes = data.get("scope")
    return Renewed(
        access_token=access_token,
        expires_in_seconds=_life_seconds(data.get("expires_in")),
        refresh_token="" if refresh_token == sent else refresh_token,
        scopes=scopes if isinstance(scopes, str) else "",
    )


def is_token(text: str) -> bool:
    """Tell whether a text can be a token: it stands in a header."""
    return bool(text) and text.isascii() and text.isprintable() and " " not in text


def _token(data: dict[str, Any], key: str) -> str | None:
    value = data.get(key)
    if value is None or value == "":
        return None
    if not isinstance(value, str) or not is_token(value):
        raise BadPayload(f"cannot refresh a grant on spotify: $.{key} is no token")
    return value


def _life_seconds(value: Any) -> float:
    """Return how long an access token lasts; whatever is odd about it costs nobody a new token."""
    if type(value) not in {int, float}:
        return _LIFE_SECONDS
    return float(min(max(value, 0), _LONGEST_LIFE_SECONDS))


def _code(response: Response) -> str:
    code = response.data.get("error") if isinstance(response.data, dict) else None
    return code if isinstance(code, str) else ""


def _words(response: Response) -> str:
    """Return the error's code with its description, which is foreign text."""
    told = response.data.get("error_description")
    words = f": {excerpt(told.encode())[:_SHOWN]}" if isinstance(told, str) and told else ""
    return f"{_code(response)}{words}"
