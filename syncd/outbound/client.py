"""The client: one platform, one credential, every request through retry, gate and reader."""

from __future__ import annotations

from datetime import timedelta
from http import HTTPStatus
from random import Random
from typing import Self, assert_never

import aiohttp
from yarl import URL

from syncd.clock import Clock
from syncd.errors import (
    CredentialsRejected,
    PlatformBlocked,
    PlatformDown,
    RateLimited,
    SyncdError,
)
from syncd.outbound.answers import Classifier, Kind, Response, Verdict, find_loss
from syncd.outbound.breaker import BreakerState
from syncd.outbound.credentials import Credential
from syncd.outbound.gate import Gate, Passage
from syncd.outbound.installation import InstallationTokens
from syncd.outbound.meter import Charge
from syncd.outbound.reader import Expects, excerpt
from syncd.outbound.request import Endpoint, Request
from syncd.outbound.resource import TOKENS, WAIT_THROUGH_SECONDS
from syncd.outbound.retry import RetryBudget
from syncd.outbound.standing import Standing
from syncd.outbound.transport import TRANSPORT_ERRORS, Connection, describe
from syncd.outbound.urgency import Urgency
from syncd.telemetry.bus import Bus
from syncd.telemetry.events import RequestRetried

Headers = dict[str, str]

MAX_REDIRECTS = 3
REDIRECTS = frozenset({301, 302, 307, 308})


class PlatformClient:
    """Ask a platform, within every limit; an async context manager.

    Args:
        endpoint: where, as whom, within which limits.
        classify: the platform's judgement of an answer; pure and quick.
        clock: where time comes from.
        bus: where retries and pauses are told.
        random: the source of jitter.

    Raises:
        ConfigError: the endpoint's address cannot be used.
    """

    def __init__(
        self, endpoint: Endpoint, classify: Classifier, *, clock: Clock, bus: Bus, random: Random
    ) -> None:
        endpoint.check()
        credential, limits = endpoint.credential, endpoint.limits
        self.gate = Gate(endpoint.platform, credential.name, limits, clock=clock, bus=bus)
        self._endpoint = endpoint
        self._classify = classify
        self._clock = clock
        self._bus = bus
        self._random = random
        self._budget = RetryBudget()
        self._base = endpoint.base_url.rstrip("/")
        self._url = URL(self._base)
        self._path = self._url.raw_path.rstrip("/")
        self._authorization = credential.headers()
        installed = credential.installation
        self._tokens = None if installed is None else InstallationTokens(installed, clock)
        self._standing = Standing(endpoint.platform, credential, bus)
        self.connection = Connection(endpoint, clock)

    async def __aenter__(self) -> Self:
        self.connection.open()
        return self

    def take_over(self, old: PlatformClient) -> bool:
        """Go on with all that another client knows, within our limits, if it asks the same.

        Same address, same credential: its gate is ours then, with pauses, breaker, quota and lines.
        """
        if (self._base, self.credential) != (old.base_url, old.credential):
            return False
        self.gate, self._budget, self._standing = old.gate, old._budget, old._standing
        self._tokens = old._tokens
        self.gate.adopt(self._endpoint.limits)
        return True

    async def __aexit__(self, *_: object) -> None:
        await self.connection.close()

    @property
    def credential(self) -> Credential:
        """As whom we ask."""
        return self._endpoint.credential

    @property
    def refusal(self) -> CredentialsRejected | None:
        """How the platform refuses our credential; None where it does not."""
        return self._standing.refusal

    @property
    def base_url(self) -> str:
        """Where we ask, without a slash at its end."""
        return self._base

    async def request(self, request: Request) -> Response:
        """Return the platform's answer, good or bad, once its verdict is OK.

        Failures that may pass are tried again, with backoff, or after the pause that the server
        asked for; not while the breaker is anything but closed, and not where what must not be
        repeated may have been done. An answer of status 2xx holds
        what `request.expects` says.

        Raises:
            BadInput: the path cannot be asked for.
            RateLimited: nothing may be asked for more than a minute, or pauses never end.
            PlatformDown: it failed in every attempt; `until` is set where the breaker is open.
            PlatformBlocked: the answer is not the API's, or leads to another origin; the same.
            CredentialsRejected: it refuses our credential.
            PlatformError: no trusted connection; a person must look.
            BadPayload: the answer is too large, empty or not what was expected.
        """
        target = self._target(request)
        self._budget.earn()
        address = request.address(target)
        try:
            with self.gate.breaker.judging(address, is_evidence=not request.is_divisible):
                response = await self._try_again_and_again(request, target)
        except CredentialsRejected as error:
            raise self._standing.note_refused(error) from None
        self._standing.note_accepted()
        return response

    def _target(self, request: Request) -> str:
        """Return the encoded path and query of a request."""
        target = self._path.rsplit("/", request.up)[0] + request.target()
        return target if target.startswith("/") else f"/{target}"

    async def _try_again_and_again(self, request: Request, target: str) -> Response:
        attempt = 1
        while True:
            try:
                return await self._follow(request, target)
            except (RateLimited, PlatformDown) as error:
                is_less_next = request.is_divisible and isinstance(error, PlatformDown)
                if is_less_next or not request.is_retried:
                    raise  # the next attempt is about less, or not ours to make
                is_blind = isinstance(error, PlatformDown) and error.is_answer_lost
                if is_blind and not request.is_repeatable:
                    raise
                delay = self._delay_seconds(error, attempt)
                if delay is None:
                    raise
                self._tell_retried(attempt, delay, error)
            await self._clock.sleep(delay)
            attempt += 1

    def _delay_seconds(self, error: RateLimited | PlatformDown, attempt: int) -> float | None:
        """Return how long to wait before the next attempt, None if there is none."""
        if attempt >= self._endpoint.retry.attempts:
            return None
        if isinstance(error, RateLimited):
            left = (error.until - self._clock.now()).total_seconds()
            return max(left, 0.0) if left <= WAIT_THROUGH_SECONDS else None
        if self.gate.breaker.state is not BreakerState.CLOSED or not self._budget.spend():
            return None
        return self._endpoint.retry.delay_seconds(attempt, self._random)

    async def _follow(self, request: Request, target: str) -> Response:
        """Send, and follow redirects within the origin; each of them passes the gate."""
        for _ in range(MAX_REDIRECTS + 1):
            response = await self._attempt(request, target, is_last=self._tokens is None)
            if response is None:  # the token turned out to be good no more
                response = await self._attempt(request, target, is_last=True)
            assert response is not None, "the last attempt ends with an answer or an error"
            is_redirect = response.status in REDIRECTS and "Location" in response.headers
            if not is_redirect or not request.follows_redirects:
                return response
            target = self._target_of(request, target, response.headers["Location"])
        raise PlatformBlocked(f"{self._aim(request, target)}: more than {MAX_REDIRECTS} redirects")

    def _target_of(self, request: Request, target: str, location: str) -> str:
        try:
            url = self._url.join(URL(target, encoded=True)).join(URL(location))
            is_ours = url.origin() == self._url.origin() and not url.user
        except ValueError:
            is_ours = False
        if not is_ours:
            raise PlatformBlocked(
                f"{self._aim(request, target)}: redirected to another origin",
                hint="check base_url; redirects are followed within its origin only",
            )
        return url.raw_path_qs

    async def _attempt(self, request: Request, target: str, *, is_last: bool) -> Response | None:
        """Pass the gate as somebody; None where the token was refused and this is not the last."""
        while True:
            # Before the gate: who waits for a token, or makes one, holds no slot.
            if self._tokens is not None:
                await self._tokens.keep(self._ask_for_token)
            async with self.gate.passage(request.resource) as passage:
                headers = self._headers(request)
                if headers is None:  # it ended while we stood in the line
                    passage.charge = Charge.UNSENT
                    continue
                response, verdict = await self._answer(passage, request, target, headers)
                told = None if verdict.kind is Kind.REJECTED else verdict.quota
                if told is not None and told.resource in {"", request.resource}:
                    passage.resource.quota.note(told)
                if self._tokens is not None and response.status == 401 and not is_last:
                    self._tokens.discard(headers)
                    return None
                # Still inside, so that the next in line sees a pause before it leaves.
                self._heed(verdict, request, target, response)
            return response

    def _headers(self, request: Request) -> Headers | None:
        """Return what proves who asks; None where a token has to be made first."""
        if request.authorization:
            return {"Authorization": request.authorization}
        return self._authorization if self._tokens is None else self._tokens.headers()

    async def _ask_for_token(self, path: tuple[str, ...], headers: Headers) -> Response:
        """Ask for an installation token; a person may be among those who wait for it."""
        request = Request(method="POST", segments=path, resource=TOKENS)
        target = self._target(request)
        resource = self.gate.resources.named(TOKENS)
        async with Passage(self.gate, resource, Urgency.MANUAL) as passage:
            response, verdict = await self._answer(passage, request, target, headers)
            if verdict.kind is not Kind.REJECTED:
                self._heed(verdict, request, target, response)
        return response

    async def _answer(
        self, passage: Passage, request: Request, target: str, headers: Headers
    ) -> tuple[Response, Verdict]:
        try:
            response = await self.connection.exchange(request, target, headers)
        except TRANSPORT_ERRORS as error:
            failure = describe(self._aim(request, target), error)
            if failure.never_left:
                passage.charge = Charge.UNSENT
            # What aiohttp says of a malformed answer holds our headers, the token among them.
            tells_too_much = isinstance(error, aiohttp.ClientResponseError)
            raise failure.error from (None if tells_too_much else error)
        verdict = self._classify(response)
        if verdict.is_free:
            passage.charge = Charge.SAVED
        return response, verdict

    def _heed(self, verdict: Verdict, request: Request, target: str, response: Response) -> None:
        """Act on a verdict: return if it is good, else raise what it means."""
        if verdict.kind is Kind.OK:
            aim = self._aim(request, target)
            loss = find_loss(aim, response) if request.expects is Expects.JSON else None
            if loss is not None:
                raise loss
            self.gate.note_good_answer(request.resource)
            return
        reason = f"{self._aim(request, target)}: {verdict.cause}"
        match verdict.kind:
            case Kind.PAUSE:
                resource = self.gate.resources.named(request.resource)
                pauses = resource.used_up if verdict.is_used_up else self.gate.pauses
                pauses.pause(verdict.pause_seconds, verdict.cause)
                left = timedelta(seconds=pauses.left_seconds())
                raise RateLimited(reason, until=self._clock.now() + left)
            case Kind.TRANSIENT:
                raise PlatformDown(reason, is_answer_lost=response.has_unknown_end)
            case Kind.BLOCKED:
                words = f"{reason}: {excerpt(response.body)}"
                raise PlatformBlocked(words, is_certain=verdict.is_certain)
            case Kind.REJECTED if (
                request.is_divisible and response.status != HTTPStatus.UNAUTHORIZED
            ):
                raise PlatformBlocked(reason)  # this is not for us; the same one by one may be
            case Kind.REJECTED:
                raise CredentialsRejected(verdict.cause)
            case _:
                assert_never(verdict.kind)

    def _aim(self, request: Request, target: str) -> str:
        path = target.partition("?")[0][:200]
        return f"cannot {request.method} {path} on {self._endpoint.platform}"

    def _tell_retried(self, attempt: int, delay: float, error: SyncdError) -> None:
        self._bus.emit(
            RequestRetried(
                platform=self._endpoint.platform,
                attempt=attempt,
                delay_seconds=delay,
                error=str(error),
            )
        )
