"""Posting to addresses of people: never into our own network, and each post judged by its sender.

No redirect is followed, certificates are verified, answers are bounded, and without `allow_private`
only public addresses are connected to: those that a name has at that moment, so that it cannot mean
something else later. Of an address nothing but its host is ever told.
"""

from __future__ import annotations

import ssl
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal, Self

import aiohttp
from aiohttp.abc import AbstractResolver
from aiohttp.resolver import ThreadedResolver
from yarl import URL

from syncd.clock import Clock
from syncd.config.addresses import is_literal, is_public
from syncd.errors import DeliveryError, DeliveryUnknown, Reach, SyncdError
from syncd.outbound.addresses import HINT, PublicResolver
from syncd.outbound.head import Answer
from syncd.outbound.pause import parse_http_date, parse_retry_after
from syncd.outbound.reader import parse_leniently
from syncd.outbound.request import Request
from syncd.outbound.said import said
from syncd.outbound.transport import DNS_SECONDS, TRANSPORT_ERRORS, describe
from syncd.outbound.wire import Wire

_LARGEST_ANSWER = 256 * 1024
_LONGEST_SECONDS = 60.0
# Of so many origins connections are kept; people may well name a thousand.
_MOST_ORIGINS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came back: `data` is the body where it is JSON, `says` how it begins, escaped."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    data: Any = field(repr=False)
    says: str
    retry_after: timedelta | None

    @property
    def is_good(self) -> bool:
        """Whether the receiver took it."""
        return 200 <= self.status < 300

    def told(self) -> str:
        """Return status and words for an error's message."""
        return f"HTTP {self.status}{f': {self.says}' if self.says else ''}"


class Poster:
    """Posts, over connections that are kept for those posts that may be repeated.

    An async context manager, left as soon as nothing is under way; what is still posted then opens
    for itself. A post that may not be repeated gets a connection of its own: of one that the
    receiver has closed meanwhile, nobody could say whether the post went through.

    Args:
        aim: what is attempted; the beginning of every error's message.
        clock: tells the time.
        timeout_seconds: how long a post may take in all, a minute at most.
        allow_private: whether addresses in our own network may be connected to.
        is_ours: the address is the operator's: what fails there reaches the whole channel.

    `resolver` looks names up; what it finds is connected to where it is public. `tls` says whose
    certificates are trusted; True: those that this machine trusts.
    """

    def __init__(
        self,
        aim: str,
        *,
        clock: Clock,
        timeout_seconds: float,
        allow_private: bool = False,
        is_ours: bool = False,
    ) -> None:
        self._aim = aim
        self._clock = clock
        self._seconds = min(timeout_seconds, _LONGEST_SECONDS)
        self._allow_private = allow_private
        self._reach = Reach.CHANNEL if is_ours else Reach.DELIVERY
        self.resolver: AbstractResolver = ThreadedResolver()
        self.tls: ssl.SSLContext | Literal[True] = True
        self._connector: aiohttp.TCPConnector | None = None
        self._wires: OrderedDict[URL, Wire] = OrderedDict()
        self._under_way = 0
        self._is_left = False

    async def __aenter__(self) -> Self:
        """Begin; nothing is connected yet."""
        self._is_left = False
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close every connection, now or when the last post has ended."""
        self._is_left = True
        if not self._under_way:
            await self._close()

    async def post(
        self,
        address: str,
        request: Request,
        proof: Mapping[str, str] | None = None,
        secrets: Sequence[str] = (),
    ) -> Reply:
        """Post once, and return whatever was answered.

        Args:
            address: where to.
            request: what; its own path is not used.
            proof: headers that say who we are; never told.
            secrets: what else an answer may repeat and nobody is told.

        Raises:
            DeliveryError: it never left, or may be repeated.
            DeliveryUnknown: it left, must not be repeated, and nobody knows whether it arrived.
        """
        url, proof = self._checked(address), dict(proof or {})
        try:
            answer = await self._exchange(url, request, proof)
        except TRANSPORT_ERRORS as error:
            raise self._lost(error, is_repeatable=request.is_repeatable) from None
        except SyncdError as error:  # of the resolver: the name has no public address
            raise self._not_public(str(error), self._reach) from None
        proofs = [value.rpartition(" ")[2] for value in proof.values()]
        reply = self._read(answer, url, [*proofs, *secrets])
        if reply.status == 504 and not request.is_repeatable:
            raise DeliveryUnknown(f"{self._aim}: {reply.told()}: passed on, and no answer came")
        return reply

    async def _exchange(self, url: URL, request: Request, proof: Mapping[str, str]) -> Answer:
        self._under_way += 1
        try:
            return await self._wire(url.origin()).exchange(request, url.raw_path_qs, proof)
        finally:
            self._under_way -= 1
            if self._is_left and not self._under_way:
                await self._close()

    async def _close(self) -> None:
        while self._wires:
            self._wires.popitem()[1].drop_kept()
        connector, self._connector = self._connector, None
        if connector is not None:
            await connector.close()

    def _checked(self, address: str) -> URL:
        try:
            url = URL(address)
            host = url.host or ""
        except ValueError:
            host = ""
        if not host:
            reason = f"{self._aim}: its address cannot be read"
            raise DeliveryError(reason, permanent=True, reach=Reach.ADDRESS)
        if not self._allow_private and is_literal(host) and not is_public(host):
            reach = self._reach if self._reach is Reach.CHANNEL else Reach.ADDRESS
            raise self._not_public(f"{host} is not public", reach)
        return url

    def _not_public(self, reason: str, reach: Reach) -> DeliveryError:
        return DeliveryError(f"{self._aim}: {reason}", permanent=True, hint=HINT, reach=reach)

    def _wire(self, origin: URL) -> Wire:
        if self._connector is None:
            self._connector = self._open()
        wire = self._wires.get(origin)
        if wire is None:
            wire = self._wires[origin] = Wire(
                origin,
                self._connector,
                headers={"Accept": "*/*", "User-Agent": "syncd"},
                seconds=self._seconds,
                limit_bytes=_LARGEST_ANSWER,
            )
        self._wires.move_to_end(origin)
        if len(self._wires) > _MOST_ORIGINS:
            # What is under way there ends by itself.
            self._wires.popitem(last=False)[1].drop_kept()
        return wire

    def _open(self) -> aiohttp.TCPConnector:
        resolver = self.resolver if self._allow_private else PublicResolver(self.resolver)
        # Whoever posts is limited already.
        return aiohttp.TCPConnector(
            limit=0, resolver=resolver, ttl_dns_cache=DNS_SECONDS, ssl=self.tls
        )

    def _lost(self, error: BaseException, *, is_repeatable: bool) -> DeliveryError:
        failure = describe(self._aim, error)
        reason = str(failure.error)
        if failure.never_left or is_repeatable:
            is_untrusted = isinstance(error, aiohttp.ClientSSLError)
            hint = "check the certificate, the host name and the time" if is_untrusted else ""
            reach = self._reach
            return DeliveryError(reason, permanent=False, hint=hint, reach=reach)
        return DeliveryUnknown(reason)

    def _read(self, answer: Answer, url: URL, secrets: list[str]) -> Reply:
        server_time = parse_http_date(answer.headers.get("Date", "")) or self._clock.now()
        seconds = parse_retry_after(answer.headers.get("Retry-After"), server_time)
        return Reply(
            status=answer.status,
            headers=answer.headers,
            data=parse_leniently(answer.body) if answer.body else None,
            says=said(answer.body, url, secrets),
            retry_after=None if seconds is None else timedelta(seconds=seconds),
        )
