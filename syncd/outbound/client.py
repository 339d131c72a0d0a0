"""The client: one platform, one credential, every request through retry, gate and reader."""

from __future__ import annotations

from datetime import timedelta
from random import Random
from types import TracebackType
from typing import Self, assert_never

import aiohttp
from yarl import URL

from syncd.clock import Clock
from syncd.errors import CredentialsRejected, PlatformBlocked, PlatformDown, RateLimited, SyncdError
from syncd.outbound.answers import Classifier, Kind, Response, Verdict
from syncd.outbound.breaker import BreakerState
from syncd.outbound.credentials import Credential
from syncd.outbound.gate import WAIT_THROUGH_SECONDS, Charge, Gate
from syncd.outbound.reader import Expects, excerpt, find_failure, parse_leniently
from syncd.outbound.request import Endpoint, Request
from syncd.outbound.retry import RetryBudget
from syncd.outbound.transport import TRANSPORT_ERRORS, describe, open_wire
from syncd.outbound.wire import Sending, Wire
from syncd.telemetry.bus import Bus
from syncd.telemetry.events import RequestRetried

MAX_REDIRECTS = 3
REDIRECTS = frozenset({301, 302, 307, 308})
WITHOUT_BODY = frozenset({204, 205})


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
        self._origin = URL(self._base).origin()
        self._authorization = credential.headers()
        self._wire: Wire | None = None

    async def __aenter__(self) -> Self:
        self._wire = open_wire(self._endpoint)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._wire is not None:
            await self._wire.close()

    @property
    def credential(self) -> Credential:
        """As whom we ask."""
        return self._endpoint.credential

    async def request(self, request: Request) -> Response:
        """Return the platform's answer, good or bad, once its verdict is OK.

        Failures that may pass are tried again, with backoff, or after the pause that the server
        asked for; not while the breaker is anything but closed. An answer of status 2xx holds
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
        target = request.target()
        url = URL(self._base + target, encoded=True)
        self._budget.earn()
        # What is no plain question about one thing (a sweep, say) is new evidence each time.
        address = target if request.json is None else object()
        with self.gate.breaker.judging(address):
            return await self._try_again_and_again(request, url)

    async def _try_again_and_again(self, request: Request, url: URL) -> Response:
        attempt = 1
        while True:
            try:
                return await self._follow(request, url)
            except (RateLimited, PlatformDown) as error:
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

    async def _follow(self, request: Request, url: URL) -> Response:
        """Send, and follow redirects within the origin; each of them passes the gate."""
        for _ in range(MAX_REDIRECTS + 1):
            response = await self._send(request, url)
            if response.status not in REDIRECTS or "Location" not in response.headers:
                return response
            url = self._target_of(request, url, response.headers["Location"])
        raise PlatformBlocked(f"{self._aim(request, url)}: more than {MAX_REDIRECTS} redirects")

    def _target_of(self, request: Request, url: URL, location: str) -> URL:
        try:
            target = url.join(URL(location))
            is_ours = target.origin() == self._origin and not target.user
        except ValueError:
            is_ours = False
        if not is_ours:
            raise PlatformBlocked(
                f"{self._aim(request, url)}: redirected to another origin",
                hint="check base_url; redirects are followed within its origin only",
            )
        return target

    async def _send(self, request: Request, url: URL) -> Response:
        aim = self._aim(request, url)
        async with self.gate.passage() as passage:
            try:
                response = await self._exchange(request, url, aim)
            except TRANSPORT_ERRORS as error:
                failure = describe(aim, error)
                if failure.never_left:
                    passage.charge = Charge.UNSENT
                # What aiohttp says of a malformed answer holds our headers, the token among them.
                tells_too_much = isinstance(error, aiohttp.ClientResponseError)
                raise failure.error from (None if tells_too_much else error)
            verdict = self._classify(response)
            if verdict.is_free:
                passage.charge = Charge.SAVED
            if verdict.quota is not None:
                self.gate.quota.note(verdict.quota)
            # Still inside, so that the next in line sees a pause before it leaves.
            self._heed(verdict, aim, request, response)
        return response

    async def _exchange(self, request: Request, url: URL, aim: str) -> Response:
        assert self._wire is not None, "the client is used outside its context"
        received = await self._wire.exchange(
            Sending(
                method=request.method,
                url=url,
                headers={**request.headers, **self._authorization},
                json=request.json,
                aim=aim,
            )
        )
        expects_json = request.expects is Expects.JSON
        return Response(
            status=received.status,
            headers=received.headers,
            body=received.body,
            data=parse_leniently(received.body) if received.body and expects_json else None,
            received_at=self._clock.now(),
        )

    def _heed(self, verdict: Verdict, aim: str, request: Request, response: Response) -> None:
        """Act on a verdict: return if it is good, else raise what it means."""
        reason = f"{aim}: {verdict.cause}"
        match verdict.kind:
            case Kind.OK:
                if failure := self._find_failure(aim, request, response):
                    raise failure
                self.gate.pauses.note_good_answer()
            case Kind.PAUSE:
                self.gate.pauses.pause(verdict.pause_seconds, verdict.cause)
                left = timedelta(seconds=self.gate.pauses.left_seconds())
                raise RateLimited(reason, until=self._clock.now() + left)
            case Kind.TRANSIENT:
                raise PlatformDown(reason)
            case Kind.BLOCKED:
                raise PlatformBlocked(f"{reason}: {excerpt(self._redacted(response))}")
            case Kind.REJECTED:
                hint = f"renew the credential {self.credential.name}"
                raise CredentialsRejected(reason, hint=hint)
            case _:
                assert_never(verdict.kind)

    def _find_failure(self, aim: str, request: Request, response: Response) -> SyncdError | None:
        is_readable = response.data is not None or request.expects is not Expects.JSON
        if is_readable or not response.is_success or response.status in WITHOUT_BODY:
            return None
        content_type = response.headers.get("Content-Type", "")
        return find_failure(aim, content_type, self._redacted(response))

    def _redacted(self, response: Response) -> bytes:
        return self.credential.redact(response.text).encode()

    def _aim(self, request: Request, url: URL) -> str:
        return f"cannot {request.method} {url.raw_path[:200]} on {self._endpoint.platform}"

    def _tell_retried(self, attempt: int, delay: float, error: SyncdError) -> None:
        self._bus.emit(
            RequestRetried(
                platform=self._endpoint.platform,
                attempt=attempt,
                delay_seconds=delay,
                error=str(error),
            )
        )
