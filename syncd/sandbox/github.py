"""GitHub's APIs for public profiles, as far as a caller can tell them from the real ones.

https://docs.github.com/en/rest/users/users
https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from hashlib import blake2b
from typing import Any, ClassVar

from aiohttp import hdrs, web

from syncd.clock import Clock, SystemClock
from syncd.sandbox.answer import Answer, deliver, encoded
from syncd.sandbox.base import Documented, StandIn
from syncd.sandbox.counters import Counters
from syncd.sandbox.faults import JSON, TOO_MANY, Fault, Faults, with_values
from syncd.sandbox.github_apps import Credentials, Told
from syncd.sandbox.github_headers import (
    VARY_PRIVATE,
    VARY_PUBLIC,
    common_headers,
    holds_tag,
    http_date,
    rate_headers,
)
from syncd.sandbox.graphql import GraphQL, rate_limited
from syncd.sandbox.limits import Budget, Limits, Refusal
from syncd.sandbox.population import Population

ACCOUNT_ID = re.compile(r"[0-9]{1,12}")
DOCS = "https://docs.github.com"
NO_AGENT = (
    "Request forbidden by administrative rules. Please make sure your request has a User-Agent "
    "header. Check https://developer.github.com for other possible causes.\r\n"
)


class GitHubStandIn(StandIn):
    """Serves `/users/{login}`, `/user/{id}`, `/rate_limit` and `/graphql` for a population.

    Every token is good until `revoke` or `accept_only` says otherwise, apps are what `credentials`
    knows; without either the caller is anonymous and counted by address.

    Args:
        population: who can be asked for.
        limits: what is enforced, before scaling.
        scale: how many times wider than that, so that a test need not take hours.
        clock: tells the time.
        latency_seconds: how long every answer takes.
    """

    # docs.github.com, "Rate limits for the REST API".
    documented: ClassVar[Documented] = Documented(
        requests_a_minute=900, requests_an_hour=5000, requests_at_a_time=100
    )
    has_etags: ClassVar[bool] = True
    takes_credentials: ClassVar[bool] = True
    has_quota: ClassVar[bool] = True
    people: ClassVar[type[Population]] = Population
    follows_renames: ClassVar[bool] = True
    somebody_else: ClassVar[Fault] = with_values({"id": 1, "login": "somebody-else"})

    def __init__(
        self,
        population: Population,
        *,
        limits: Limits | None = None,
        scale: float = 1,
        clock: Clock | None = None,
        latency_seconds: float = 0,
    ) -> None:
        self.population: Population = population
        self.limits = (limits or Limits()).scaled(scale)
        self.counters = Counters()
        self.faults = Faults(population.seed)
        self.graphql = GraphQL(population, self.counters)
        self._clock = clock or SystemClock()
        self._latency_seconds = latency_seconds
        self._budgets: dict[str, Budget] = {}
        self.credentials = Credentials(self._clock)
        self.accept_only = self.credentials.accept_only
        self.revoke = self.credentials.revoke

    def handle_of(self, index: int) -> str:
        """Return somebody's present login."""
        return self.population.login(index)

    def expected(self, index: int) -> Mapping[str, Any]:
        """Return what is true of somebody now."""
        document = self.population.document(index)
        as_told = ("name", "avatar_url", "bio", "followers", "following", "public_repos")
        return {
            "external_id": str(document["id"]),
            "handle": document["login"],
            "rating": None,
            "solved": None,
            "raw": document,
            **{key: document[key] for key in as_told},
        }

    def changes(self) -> Mapping[str, Callable[..., Any]]:
        """Return what can be done to users and to credentials."""
        users = ("edit", "take_over", "suspend", "become_organization")
        credentials = ("revoke", "add_oauth_app", "install", "change_installation", "revoke_tokens")
        return {
            **super().changes(),
            **{name: getattr(self.population, name) for name in users},
            **{name: getattr(self.credentials, name) for name in credentials},
        }

    def asked_by(self) -> Mapping[str, int]:
        """Tell how often each credential was asked with."""
        return self.credentials.asked

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        self.counters.requests += 1
        whose = self.credentials.whose(request)
        self.credentials.asked[whose] += 1
        budget = self._budget(whose)
        budget.in_flight += 1
        try:
            body = await request.read()
            whole = replace(
                self._answer(request, body, whose, budget), delay_seconds=self._latency_seconds
            )
            answer = self.faults.strike(request.path, whole)
            self.counters.by_status[answer.status] += 1
            return await deliver(request, answer, self._clock)
        finally:
            budget.in_flight -= 1

    def _answer(self, request: web.BaseRequest, body: bytes, whose: str, budget: Budget) -> Answer:
        if not request.headers.get(hdrs.USER_AGENT):
            headers = {"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-cache"}
            return Answer(status=403, headers=headers, body=NO_AGENT.encode())
        told = self.credentials.make_token(request) or self.credentials.refusal(request)
        if told is not None:
            return self._tell_of_credential(told, request)
        if request.path == "/graphql":
            return self._graphql(request, body, whose, budget.in_flight)
        return self._rest(request, whose, budget)

    def _rest(self, request: web.BaseRequest, whose: str, budget: Budget) -> Answer:
        if self._arrives(budget) is not None:
            return self._refuse_secondary()
        if request.path == "/rate_limit":
            return self._rate_limit(whose, budget)
        if budget.remaining <= 0:
            return self._refuse_primary(request, budget)
        return self._charged(self._profile(request, is_anonymous=_is_anonymous(request)), budget)

    def _tell_of_credential(self, told: Told, request: web.BaseRequest) -> Answer:
        self.counters.unauthorised += told.status != 201
        answer = self._told(told.status, told.message, f"{DOCS}/rest")
        body = encoded(told.body) if told.body else answer.body
        headers = {**answer.headers, "Date": self.credentials.date()}
        if told.status == 401:
            headers |= self._rates_of_address(request)
        return replace(answer, body=body, headers=headers)

    def _rates_of_address(self, request: web.BaseRequest) -> dict[str, str]:
        """Count somebody whose credential is not known as what they are: anonymous."""
        budget = self._budget(f"address {request.remote or ''}")
        budget.renew()
        budget.charge()
        return rate_headers(budget)

    def _arrives(self, budget: Budget) -> Refusal | None:
        refusal = budget.arrive()
        self.counters.count_arrival(budget.in_flight, budget.last_second, budget.last_minute)
        return refusal

    def _graphql(self, request: web.BaseRequest, body: bytes, whose: str, in_flight: int) -> Answer:
        self.counters.graphql += 1
        if whose.startswith(("address ", "app ")):
            text = "This endpoint requires you to be authenticated."
            told = self._told(401, text, f"{DOCS}/graphql/guides/forming-calls-with-graphql")
            return replace(told, headers={**told.headers, **self._rates_of_address(request)})
        budget = self._graphql_budget(whose)
        # What is in flight counts together with REST.
        budget.in_flight = in_flight
        if self._arrives(budget) is not None:
            return self._refuse_secondary()
        if self.graphql.is_forbidden:
            text = "Resource not accessible by personal access token"
            return self._told(403, text, f"{DOCS}/graphql")
        if budget.remaining <= 0:
            self.counters.refused[Refusal.PRIMARY] += 1
            answered = rate_limited()
        else:
            answered = self.graphql.answer(body, budget)
        headers = {
            "Content-Type": JSON,
            **common_headers(self.counters.requests),
            **rate_headers(budget, "graphql"),
        }
        return Answer(headers=headers, body=encoded(answered))

    def _profile(self, request: web.BaseRequest, *, is_anonymous: bool) -> Answer:
        index = self._find(request) if request.method == hdrs.METH_GET else None
        if index is None:
            return self._told(404, "Not Found", f"{DOCS}/rest/users/users#get-a-user")
        self.counters.count_fetch(index)
        etag = self._etag(request, index)
        document = self.population.document(index)
        headers = common_headers(self.counters.requests) | {
            "Cache-Control": f"{'public' if is_anonymous else 'private'}, max-age=60, s-maxage=60",
            "Vary": VARY_PUBLIC if is_anonymous else VARY_PRIVATE,
            "ETag": etag,
            "Last-Modified": http_date(document["updated_at"]),
        }
        if holds_tag(request.headers.get(hdrs.IF_NONE_MATCH, ""), etag):
            return Answer(status=304, headers=headers)
        if is_anonymous:
            document["email"] = None
        return Answer(headers={"Content-Type": JSON, **headers}, body=encoded(document))

    def _find(self, request: web.BaseRequest) -> int | None:
        match request.path.split("/"):
            case ["", "users", login]:
                return self.population.find_login(login)
            case ["", "user", number] if ACCOUNT_ID.fullmatch(number):
                return self.population.find_id(int(number))
            case _:
                return None

    def _etag(self, request: web.BaseRequest, index: int) -> str:
        # Another token or another Accept is another representation, although the body is the same.
        variant = [request.headers.get(name, "") for name in (hdrs.ACCEPT, hdrs.AUTHORIZATION)]
        place = (self.population.seed, index, self.population.version(index), *variant)
        return f'W/"{blake2b(repr(place).encode(), digest_size=32).hexdigest()}"'

    def _charged(self, answer: Answer, budget: Budget) -> Answer:
        if answer.status != 304:
            budget.charge()
            self.counters.primary_used += 1
        return replace(answer, headers={**answer.headers, **rate_headers(budget)})

    def _rate_limit(self, whose: str, budget: Budget) -> Answer:
        resources = {"core": budget.as_json()}
        if not whose.startswith("address "):
            points = self._graphql_budget(whose)
            points.renew()
            resources["graphql"] = points.as_json()
        body = {"resources": resources, "rate": resources["core"]}
        headers = {
            "Content-Type": JSON,
            "Cache-Control": "no-cache",
            **common_headers(self.counters.requests),
        }
        headers |= {"Vary": "Accept-Encoding, Accept, X-Requested-With", **rate_headers(budget)}
        return Answer(headers=headers, body=encoded(body))

    def _refuse_primary(self, request: web.BaseRequest, budget: Budget) -> Answer:
        self.counters.refused[Refusal.PRIMARY] += 1
        whose = request.remote if _is_anonymous(request) else "user ID 1"
        text = f"API rate limit exceeded for {whose}."
        about = f"{DOCS}/rest/overview/rate-limits-for-the-rest-api"
        answer = self._told(self.limits.primary_status, text, about)
        return replace(answer, headers={**answer.headers, **rate_headers(budget)})

    def _refuse_secondary(self) -> Answer:
        self.counters.refused[Refusal.SECONDARY] += 1
        headers = {"Content-Type": JSON, **common_headers(self.counters.requests)}
        if self.limits.tells_wait:
            headers["Retry-After"] = str(self.limits.penalty_seconds)
        return Answer(status=self.limits.secondary_status, headers=headers, body=TOO_MANY.encode())

    def _told(self, status: int, message: str, about: str) -> Answer:
        body = {"message": message, "documentation_url": about, "status": str(status)}
        headers = {"Content-Type": JSON, **common_headers(self.counters.requests)}
        return Answer(status=status, headers=headers, body=encoded(body))

    def _budget(self, whose: str) -> Budget:
        budget = self._budgets.get(whose)
        if budget is None:
            limits = self.limits
            limit = limits.anonymous if whose.startswith("address ") else limits.primary
            budget = self._budgets[whose] = Budget(limits, limit, self._clock)
        return budget

    def _graphql_budget(self, whose: str) -> Budget:
        key = f"graphql {whose}"
        if key not in self._budgets:
            points = self.limits.graphql_points_per_minute
            limits = replace(self.limits, points_per_minute=points)
            self._budgets[key] = Budget(limits, limits.graphql, self._clock)
        return self._budgets[key]


def _is_anonymous(request: web.BaseRequest) -> bool:
    return hdrs.AUTHORIZATION not in request.headers
