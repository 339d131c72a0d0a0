"""A webhook: one JSON POST to an address that is itself a secret."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver
from aiohttp.resolver import ThreadedResolver
from yarl import URL

from syncd.clock import Clock
from syncd.config.addresses import is_literal, is_public
from syncd.errors import DeliveryError, SyncdError
from syncd.outbound.addresses import HINT, PublicResolver
from syncd.outbound.head import Answer
from syncd.outbound.pause import parse_http_date, parse_retry_after
from syncd.outbound.request import Request
from syncd.outbound.said import said
from syncd.outbound.transport import TRANSPORT_ERRORS, describe
from syncd.outbound.wire import Wire

_AIM = "cannot deliver to the webhook"
_LARGEST_ANSWER = 1024 * 1024
# What may pass by itself; any other refusal is the same the next time.
_PASSING = frozenset({408, 425, 429})


@dataclass(frozen=True, slots=True, kw_only=True)
class HookAnswer:
    """What came back: `said` is how the body begins, escaped, without a piece of the address."""

    status: int
    said: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """Where a webhook is, and how it may be reached.

    Each post has a connection of its own: they are rare. No redirect is followed, certificates are
    verified, and what is not public is connected to only with `allow_private`. Nothing of the
    address but its host is ever told.
    """

    url: str = field(repr=False)
    timeout_seconds: float
    allow_private: bool = False

    async def post(self, body: Mapping[str, Any], clock: Clock) -> HookAnswer:
        """Deliver a body and return what came back: a status of 2xx.

        Raises:
            DeliveryError: it did not arrive, or was refused.
        """
        url = URL(self.url)
        host = url.host or ""
        if not self.allow_private and is_literal(host) and not is_public(host):
            raise DeliveryError(f"{_AIM}: {host} is not public", permanent=True, hint=HINT)
        try:
            answer = await self._exchange(url, Request(segments=(), method="POST", json=body))
        except TRANSPORT_ERRORS as error:
            raise _not_arrived(error) from None
        except SyncdError as error:  # of the resolver: the address is not public
            hint = error.hint or ""
            raise DeliveryError(f"{_AIM}: {error}", permanent=True, hint=hint) from None
        if 200 <= answer.status < 300:
            return HookAnswer(status=answer.status, said=said(answer.body, URL(self.url)))
        raise self._refused(answer, clock)

    async def _exchange(self, url: URL, request: Request) -> Answer:
        resolver: AbstractResolver = ThreadedResolver()
        if not self.allow_private:
            resolver = PublicResolver(resolver)
        wire = Wire(
            url.origin(),
            aiohttp.TCPConnector(resolver=resolver),
            headers={"Accept": "*/*", "User-Agent": "syncd"},
            seconds=self.timeout_seconds,
            limit_bytes=_LARGEST_ANSWER,
        )
        try:
            return await wire.exchange(request, url.raw_path_qs, {})
        finally:
            await wire.close()

    def _refused(self, answer: Answer, clock: Clock) -> DeliveryError:
        status = answer.status
        seconds = None
        if status < 300 or status in _PASSING or status >= 500:
            server_time = parse_http_date(answer.headers.get("Date", "")) or clock.now()
            seconds = parse_retry_after(answer.headers.get("Retry-After"), server_time)
        hint = "see that webhook_url in [alerts] is the one the service gave you"
        if 300 <= status < 400:
            hint = "redirects are not followed: let webhook_url in [alerts] be where it leads to"
        begins = said(answer.body, URL(self.url))
        return DeliveryError(
            f"{_AIM}: HTTP {status}{f': {begins}' if begins else ''}",
            permanent=300 <= status < 500 and status not in _PASSING,
            retry_after=None if seconds is None else timedelta(seconds=seconds),
            hint=hint,
        )


def _not_arrived(error: BaseException) -> DeliveryError:
    described = describe(_AIM, error).error
    is_untrusted = isinstance(error, aiohttp.ClientSSLError | aiohttp.ServerFingerprintMismatch)
    hint = "check the certificate, the host name and this machine's time" if is_untrusted else ""
    return DeliveryError(str(described), permanent=False, hint=hint)
