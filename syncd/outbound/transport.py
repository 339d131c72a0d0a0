"""The connection: aiohttp set up for us, and its errors put into our words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp
from aiohttp.abc import AbstractResolver
from aiohttp.resolver import ThreadedResolver
from yarl import URL

from syncd.clock import Clock
from syncd.errors import BadPayload, PlatformDown, PlatformError, SyncdError
from syncd.outbound.addresses import PublicResolver
from syncd.outbound.answers import Response
from syncd.outbound.reader import Expects, parse_leniently
from syncd.outbound.request import Endpoint, Request
from syncd.outbound.talk import TooLarge
from syncd.outbound.wire import Wire

DNS_SECONDS = 60

# aiohttp's own, and those of sockets that it lets through.
TRANSPORT_ERRORS = (aiohttp.ClientError, TimeoutError, OSError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A failed exchange: the error to raise, and whether the request never left."""

    error: SyncdError
    never_left: bool


class Connection:
    """The connections of one platform and credential; they are reused."""

    def __init__(self, endpoint: Endpoint, clock: Clock) -> None:
        self._endpoint = endpoint
        self._clock = clock
        self._wire: Wire | None = None
        self._under_way = 0
        self._is_retired = False

    def open(self) -> None:
        """Begin, in a running loop; nothing is connected yet."""
        self._wire = _open_wire(self._endpoint)

    async def close(self) -> None:
        """Close every connection."""
        wire, self._wire = self._wire, None
        if wire is not None:
            await wire.close()

    async def retire(self) -> None:
        """Close when nothing is under way; what is still asked then opens for itself."""
        self._is_retired = True
        if not self._under_way:
            await self.close()

    async def exchange(
        self, request: Request, target: str, authorization: Mapping[str, str]
    ) -> Response:
        """Send a request and read its answer whole; redirects are not followed.

        Raises:
            TRANSPORT_ERRORS: for `describe`.
        """
        if self._wire is None and self._is_retired:
            self.open()
        assert self._wire is not None, "the client is used outside its context"
        self._under_way += 1
        try:
            status, headers, answered = await self._wire.exchange(request, target, authorization)
        finally:
            self._under_way -= 1
            if self._is_retired and not self._under_way:
                await self.close()
        body, told = self._redacted(request, answered, authorization, status)
        return Response(
            status=status,
            headers=headers,
            body=body,
            data=parse_leniently(told) if told and request.expects is Expects.JSON else None,
            received_at=self._clock.now(),
        )

    def _redacted(
        self, request: Request, answered: bytes, authorization: Mapping[str, str], status: int
    ) -> tuple[bytes, bytes]:
        """Return the body that may be shown, and the one to read.

        Nobody reads, keeps or tells what we are known by, wherever in the answer it stands; only
        who asks for secrets is told them, perhaps those that were sent, in a good answer.
        """
        if request.tells_secrets and 200 <= status < 300:
            return (b"***" if answered else b""), answered
        credential, sent = self._endpoint.credential, request.secrets()
        if credential.installation is not None:
            sent = [authorization.get("Authorization", "").rpartition(" ")[2]]
        body = credential.redact(answered, *sent)
        return body, body


def _open_wire(endpoint: Endpoint) -> Wire:
    """Return the connections of one platform and credential; call it in a running loop.

    Certificates are always verified. One deadline for the whole ends silence and a body that drips;
    a limit on silence alone would let it drip for ever.
    """
    resolver: AbstractResolver = ThreadedResolver()
    if not endpoint.allow_private:
        resolver = PublicResolver(resolver)
    connector = aiohttp.TCPConnector(
        limit=0,  # the gate knows how many
        resolver=resolver,
        ttl_dns_cache=DNS_SECONDS,
    )
    return Wire(
        URL(endpoint.base_url).origin(),
        connector,
        headers={"Accept": "*/*", "User-Agent": endpoint.user_agent, **endpoint.headers},
        seconds=endpoint.limits.timeout_seconds,
        limit_bytes=endpoint.max_body_bytes,
    )


def describe(aim: str, error: BaseException) -> Failure:
    """Put a transport error into our words, without the address, which may hold a query.

    Args:
        aim: what was attempted, the beginning of the error's message.
        error: one of `TRANSPORT_ERRORS`.
    """
    match error:
        case aiohttp.ClientSSLError() | aiohttp.ServerFingerprintMismatch():
            return Failure(
                error=PlatformError(
                    f"{aim}: no trusted TLS connection: {_reason(error)}",
                    hint="check the certificate, the host name in base_url and this machine's time",
                ),
                never_left=True,
            )
        case aiohttp.ClientConnectorError():
            reason = f"{aim}: cannot connect: {_reason(error)}"
            return Failure(error=PlatformDown(reason), never_left=True)
        case aiohttp.ConnectionTimeoutError():
            reason = f"{aim}: cannot connect in time"
            return Failure(error=PlatformDown(reason), never_left=True)
        case TimeoutError():
            reason = f"{aim}: no whole answer in time"
            return Failure(error=PlatformDown(reason, is_answer_lost=True), never_left=False)
        case aiohttp.ClientPayloadError():
            cut_off = PlatformDown(f"{aim}: the answer was cut off", is_answer_lost=True)
            too_large = BadPayload(f"{aim}: {error}")
            is_too_large = isinstance(error, TooLarge)
            return Failure(error=too_large if is_too_large else cut_off, never_left=False)
        case _:
            reason = f"{aim}: connection failed: {type(error).__name__}"
            return Failure(error=PlatformDown(reason, is_answer_lost=True), never_left=False)


def _reason(error: BaseException) -> str:
    """Return the operating system's words for a failed connection."""
    inner = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    return (str(inner) or type(inner).__name__)[:200]
