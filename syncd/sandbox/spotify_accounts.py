"""accounts.spotify.com: gives an access token, and sometimes a refresh token, for a refresh token.

https://developer.spotify.com/documentation/web-api/tutorials/refreshing-tokens
"""

from __future__ import annotations

import binascii
from array import array
from base64 import b64decode
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import hdrs, web

from syncd.errors import BadInput
from syncd.sandbox.answer import Answer
from syncd.sandbox.counters import Counters
from syncd.sandbox.service import told
from syncd.sandbox.spotify_grants import REVOKED, Grants, access_answer

CLIENT_ID = "standin-client"
CLIENT_SECRET = "canary-client-secret"  # noqa: S105 - of the stand-in, to be looked for in logs

ERRORS: Mapping[str, tuple[int, str]] = MappingProxyType(
    {
        "invalid_grant": (400, REVOKED),
        "invalid_client": (400, "Invalid client"),
        "invalid_request": (400, "refresh_token must be supplied"),
        "unsupported_grant_type": (400, "grant_type parameter is missing or unsupported"),
        "server_error": (500, "Internal server error"),
        "temporarily_unavailable": (503, "Service unavailable"),
    }
)


class RefreshCounters(Counters):
    """What a stand-in saw, and what was asked for with refresh tokens.

    `refresh_calls` are all such calls, `renewed` those that made tokens (a fault may have kept them
    from arriving), `refresh_refused` others by their error; `most_refreshes_at_once` is how many
    were ever under way for one user.
    """

    def clear(self) -> None:
        """Begin again."""
        super().clear()
        self.refresh_calls = 0
        self.renewed = 0
        self.refresh_refused: Counter[str] = Counter()
        self.most_refreshes_at_once = 0
        self._refreshes = array("I")

    def count_refresh(self, index: int) -> None:
        """Remember that tokens of somebody were asked for, with whichever refresh token."""
        if index >= len(self._refreshes):
            self._refreshes.extend([0] * (index + 1 - len(self._refreshes)))
        self._refreshes[index] += 1

    def refreshes(self, index: int) -> int:
        """Tell how often tokens of somebody were asked for."""
        return self._refreshes[index] if index < len(self._refreshes) else 0

    def as_json(self) -> dict[str, Any]:
        """Return everything but the single users; `users_by_refreshes` groups those."""
        return {
            **super().as_json(),
            "refresh_calls": self.refresh_calls,
            "renewed": self.renewed,
            "refresh_refused": dict(self.refresh_refused),
            "most_refreshes_at_once": self.most_refreshes_at_once,
            "users_by_refreshes": {
                str(times): users for times, users in Counter(self._refreshes).items() if times
            },
        }


@dataclass(slots=True)
class _Refusal:
    """Refuses with `error` whoever asks for somebody, so many times (None: for ever)."""

    error: str
    index: int | None
    times: int | None


class Accounts:
    """The token endpoint.

    `rotates`: whether every refresh gives a new refresh token and ends the old one. None: only for
    an app that proves itself by no secret (PKCE), as the service is said to do.

    Args:
        grants: which tokens are good.
        counters: where calls are counted.
    """

    def __init__(self, grants: Grants, counters: RefreshCounters) -> None:
        self.rotates: bool | None = None
        # How often each app asked.
        self.asked: Counter[str] = Counter()
        self._grants = grants
        self._counters = counters
        self._secrets = {CLIENT_ID: CLIENT_SECRET}
        self._refusals: list[_Refusal] = []
        self._under_way: Counter[int] = Counter()

    def set_rotation(self, rotates: bool | None) -> None:
        """Give a new refresh token always, never, or (None) to apps without a secret."""
        self.rotates = rotates

    def add_app(self, client_id: str, client_secret: str) -> None:
        """Know an app, or its new secret."""
        self._secrets[client_id] = client_secret

    def revoke(self, token: str) -> None:
        """Know an app's secret, or its id, no more."""
        self._secrets = {
            client_id: secret
            for client_id, secret in self._secrets.items()
            if token not in {client_id, secret}
        }

    def refuse_refreshes(
        self, error: str = "invalid_grant", *, index: int | None = None, times: int | None = None
    ) -> None:
        """Refuse refreshes before they change anything: no token is rotated or ends.

        Args:
            error: one of `ERRORS`.
            index: whose; None is everybody's.
            times: how many; None does not end.
        """
        if error not in ERRORS:
            raise BadInput(f"no such error of the token endpoint: {error}")
        self._refusals.append(_Refusal(error, index, times))

    def accept_refreshes(self) -> None:
        """Refuse nobody's refreshes any more who has a good token."""
        self._refusals.clear()

    def refreshes(self) -> dict[str, int]:
        """Tell how often tokens were asked for, by the index of those who were asked for."""
        counts = {index: self._counters.refreshes(index) for index in self._grants.known()}
        return {str(index): times for index, times in counts.items() if times}

    def asked_for(self, body: bytes) -> int | None:
        """Tell for whom a call asks, with whichever refresh token of theirs; None: for nobody."""
        return self._grants.holder(_form(body).get("refresh_token", ""))

    @contextmanager
    def under_way(self, body: bytes) -> Iterator[None]:
        """Count a call among those for the same user until its answer is sent."""
        self._counters.refresh_calls += 1
        index = self.asked_for(body)
        if index is None:
            yield
            return
        self._counters.count_refresh(index)
        self._under_way[index] += 1
        most = max(self._counters.most_refreshes_at_once, self._under_way[index])
        self._counters.most_refreshes_at_once = most
        try:
            yield
        finally:
            self._under_way[index] -= 1

    def answer(self, request: web.BaseRequest, body: bytes) -> Answer:
        """Answer a call."""
        if request.method != hdrs.METH_POST:
            return told({"error": "method_not_allowed"}, 405)
        is_form = request.content_type == "application/x-www-form-urlencoded"
        form = _form(body) if is_form else {}
        client_id, secret = _client(request, form)
        self.asked[f"app {client_id}"] += 1
        error, words = self._refusal(form, is_known=self._is_known(client_id, secret))
        if error:
            self._counters.refresh_refused[error] += 1
            status, usual = ERRORS[error]
            return told({"error": error, "error_description": words or usual}, status)
        return self._renewed(form["refresh_token"], is_public=secret is None)

    def _renewed(self, refresh_token: str, *, is_public: bool) -> Answer:
        index = self._grants.holder(refresh_token)
        assert index is not None
        self._counters.renewed += 1
        seconds, scopes = self._grants.token_seconds, self._grants.scopes(index)
        body = access_answer(self._grants.make_access(index), scopes, seconds)
        if is_public if self.rotates is None else self.rotates:
            body["refresh_token"] = self._grants.rotate(index)
        return told(body)

    def _refusal(self, form: Mapping[str, str], *, is_known: bool) -> tuple[str, str]:
        """Return the error and words that refuse a call; both empty where nothing does."""
        refresh_token = form.get("refresh_token", "")
        scripted = self._scripted(self._grants.holder(refresh_token))
        if scripted:
            return scripted, ""
        if not is_known:
            return "invalid_client", ""
        if form.get("grant_type") != "refresh_token":
            return "unsupported_grant_type", ""
        if not refresh_token:
            return "invalid_request", ""
        words = self._grants.why_refused(refresh_token)
        return ("invalid_grant" if words else ""), words

    def _is_known(self, client_id: str, secret: str | None) -> bool:
        """Tell whether this is an app: by its secret, or, where it gives none, by its id."""
        known = self._secrets.get(client_id)
        return known is not None and secret in {None, known}

    def _scripted(self, index: int | None) -> str:
        for refusal in self._refusals:
            if refusal.index in {None, index}:
                if refusal.times is not None:
                    refusal.times -= 1
                    if not refusal.times:
                        self._refusals.remove(refusal)
                return refusal.error
        return ""


def _form(body: bytes) -> dict[str, str]:
    return dict(parse_qsl(body.decode(errors="replace"), keep_blank_values=True))


def _client(request: web.BaseRequest, form: Mapping[str, str]) -> tuple[str, str | None]:
    """Tell which app asks, and with which secret; None: with none."""
    scheme, _, given = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    return _basic(given) if scheme.lower() == "basic" else (form.get("client_id", ""), None)


def _basic(given: str) -> tuple[str, str]:
    try:
        name, _, secret = b64decode(given.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return name, secret
