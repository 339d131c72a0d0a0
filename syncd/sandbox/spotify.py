"""Spotify's Web API for recently played tracks, and the service that renews tokens for it.

https://developer.spotify.com/documentation/web-api/reference/get-recently-played; shapes and errors
as recorded between 2017 and 2026. One port plays both hosts: api.spotify.com as it is, under `/v1`,
and accounts.spotify.com under `/accounts`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Self

from aiohttp import hdrs, web

from syncd.clock import Clock, SystemClock
from syncd.errors import BadInput
from syncd.sandbox.answer import Answer
from syncd.sandbox.base import Documented, Odd
from syncd.sandbox.faults import Fault, Faults
from syncd.sandbox.players import Players
from syncd.sandbox.population import Population
from syncd.sandbox.service import Service, told
from syncd.sandbox.spotify_accounts import Accounts, RefreshCounters
from syncd.sandbox.spotify_faults import (
    LIMITED,
    NO_SCOPE,
    ODD,
    PLAYED,
    SPOTIFY_FAULTS,
    error_answer,
)
from syncd.sandbox.spotify_grants import SCOPE, Grants
from syncd.sandbox.spotify_plays import MOST_SHOWN, OLD_PLAYS, Listeners

ACCOUNTS = "/accounts"
TOKEN_PATH = f"{ACCOUNTS}/api/token"
USUAL_LIMIT = 20
PUBLIC_URL = f"https://api.spotify.com{PLAYED}"


class SpotifyStandIn(Service):
    """Serves `GET /v1/me/player/recently-played` and `POST /accounts/api/token`.

    Nobody is asked for by name: the access token says whose plays are told. A scripted `fault` of
    the token endpoint strikes when the tokens have been made already (`latency`, `hang` and `cut`
    lose a rotated one on its way); `refuse_refreshes` refuses before.

    Args:
        population: who listens.
        scale: how many times wider the limits are.
        clock: tells the time.
        latency_seconds: how long every answer takes.
    """

    # "We don't provide any specific numbers" (github.com/spotify/web-api, issue 589).
    documented: ClassVar[Documented] = Documented(requests_a_minute=180, requests_at_a_time=10)
    takes_credentials: ClassVar[bool] = True
    tells_handle: ClassVar[bool] = False
    odd_answers: ClassVar[Mapping[str, Odd]] = ODD
    people: ClassVar[type[Players | Population]] = Listeners
    # An answer names nobody: it is about whoever the token belongs to.
    somebody_else: ClassVar[Fault] = staticmethod(lambda answer: answer)

    def __init__(
        self,
        population: Listeners,
        *,
        scale: float = 1,
        clock: Clock | None = None,
        latency_seconds: float = 0,
    ) -> None:
        clock = clock or SystemClock()
        super().__init__(population, scale=scale, clock=clock, latency_seconds=latency_seconds)
        self.listeners = population
        self.counters: RefreshCounters = RefreshCounters()
        self.grants = Grants(population, clock)
        self.accounts = Accounts(self.grants, self.counters)
        self._has_quirk = False
        self._is_empty_without_content = False
        self._of_users = Faults(population.seed)

    @classmethod
    def make(cls, seed: int, size: int, **options: Any) -> Self:
        """Make one with listeners of its own, who had at most `old_plays` plays each before."""
        clock, old_plays = options.get("clock"), options.pop("old_plays", OLD_PLAYS)
        return cls(Listeners(seed, size, clock=clock, old_plays=old_plays), **options)

    def addresses(self, base_url: str) -> Mapping[str, Any]:
        """Return the settings that lead a caller here, who is served at `base_url`."""
        return {"base_url": f"{base_url}/v1", "urls": {"accounts": base_url + ACCOUNTS}}

    def changes(self) -> Mapping[str, Callable[..., Any]]:
        """Return what can be done to users, their plays, their grants and the two services."""
        owners: Mapping[object, tuple[str, ...]] = {
            self.listeners: ("listen", "hear", "silence", "lag"),
            self.grants: (
                "consent", "told", "told_access", "withdraw", "expire_access", "set_token_seconds",
            ),
            self.accounts: (
                "refuse_refreshes", "accept_refreshes", "set_rotation", "add_app", "revoke",
                "refreshes",
            ),
            self: ("fault_of", "cure", "set_quirk", "set_no_content"),
        }  # fmt: skip
        named = {name: getattr(owner, name) for owner, names in owners.items() for name in names}
        return {**super().changes(), **named}

    def fault_of(
        self,
        index: int,
        fault: str,
        arguments: Mapping[str, Any] | None = None,
        times: int | None = None,
        at: str = PLAYED,
    ) -> None:
        """Let a fault strike the answers about one user, by its name; `at` says of which path."""
        try:
            made = self.fault(fault, arguments or {})
        except (KeyError, TypeError) as error:
            raise BadInput(f"no such fault: {fault} ({error!r})") from error
        self._of_users.add(made, path=f"{at} {index}", times=times)

    def cure(self) -> None:
        """Let no fault strike single users any more."""
        self._of_users.clear()

    def set_quirk(self, has_quirk: bool) -> None:
        """Let the cursor `after` be 1 ms before the newest play, as recorded in 2017, or not."""
        self._has_quirk = has_quirk

    def set_no_content(self, is_empty: bool) -> None:
        """Answer 204 where there is nothing new, or an empty page."""
        self._is_empty_without_content = is_empty

    def fault(self, name: str, arguments: Mapping[str, Any]) -> Fault:
        """Return a fault by name: one that everybody may have, or one of this service."""
        if name in self.odd_answers and not arguments:
            return self.odd_answers[name].fault
        return SPOTIFY_FAULTS[name](**arguments)

    def asked_by(self) -> Mapping[str, int]:
        """Tell how often each app asked for tokens."""
        return self.accounts.asked

    def host_of(self, path: str) -> str:
        """Tell the two hosts apart."""
        return ACCOUNTS if path.startswith(ACCOUNTS) else ""

    def expected(self, index: int) -> Mapping[str, Any]:
        """Return all plays of somebody, also those that are not shown any more."""
        return {"handle": self.handle_of(index), "plays": self.listeners.plays(index)}

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        if request.path != TOKEN_PATH:
            return await super().handle(request)
        with self.accounts.under_way(await request.read()):
            return await super().handle(request)

    def answer(self, request: web.BaseRequest, body: bytes) -> Answer:
        """Answer a request that is within the limits."""
        if request.path == TOKEN_PATH:
            index, whole = self.accounts.asked_for(body), self.accounts.answer(request, body)
            return self._of_users.strike(f"{TOKEN_PATH} {index}", whole)
        if (request.method, request.path) != (hdrs.METH_GET, PLAYED):
            return error_answer(404, "Service not found")
        return self._recently_played(request)

    def refuse(self) -> Answer:
        """Refuse a request that exceeds the limit."""
        return error_answer(429, LIMITED, headers={"Retry-After": "30"})

    def _recently_played(self, request: web.BaseRequest) -> Answer:
        scheme, _, token = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
        if not token:
            return self._unauthorised("No token provided")
        if scheme.lower() != "bearer":
            return error_answer(400, "Only valid bearer authentication supported")
        index = self.grants.reader(token.strip())
        if isinstance(index, str):
            return self._unauthorised(index)
        self.count_fetch(index)
        return self._of_users.strike(f"{PLAYED} {index}", self._page_of(index, request))

    def _unauthorised(self, why: str) -> Answer:
        self.counters.unauthorised += 1
        challenge = f'Bearer realm="spotify", error="invalid_token", error_description="{why}"'
        return error_answer(401, why, headers={"WWW-Authenticate": challenge})

    def _page_of(self, index: int, request: web.BaseRequest) -> Answer:
        if SCOPE not in self.grants.scopes(index).split():
            return error_answer(403, NO_SCOPE)
        query = request.rel_url.query
        try:
            limit = int(query.get("limit", USUAL_LIMIT))
            bounds = {key: int(query[key]) for key in ("after", "before") if key in query}
        except ValueError:
            return error_answer(400, "Bad request.")
        if not 0 < limit <= MOST_SHOWN or len(bounds) > 1:
            wrong = "Cannot use both after and before" if len(bounds) > 1 else "Invalid limit"
            return error_answer(400, wrong)
        after, before = bounds.get("after"), bounds.get("before")
        instants = [
            at_ms
            for at_ms in self.listeners.shown(index)
            if (after is None or at_ms > after) and (before is None or at_ms < before)
        ]
        if not instants and self._is_empty_without_content:
            return Answer(status=204)
        return told(self._page(index, instants[:limit], limit, request.rel_url.query_string))

    def _page(self, index: int, instants: list[int], limit: int, query: str) -> dict[str, Any]:
        """Write a page; `next` and `cursors` are null where nothing is on it."""
        page: dict[str, Any] = {
            "items": [self.listeners.item(index, at_ms) for at_ms in instants],
            "next": None,
            "cursors": None,
            "limit": limit,
            "href": PUBLIC_URL + (f"?{query}" if query else ""),
        }
        if instants:
            newest, oldest = instants[0] - self._has_quirk, instants[-1]
            page["cursors"] = {"after": str(newest), "before": str(oldest)}
            page["next"] = f"{PUBLIC_URL}?before={oldest}&limit={limit}"
        return page
