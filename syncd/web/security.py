"""Who may call: the checks that every request passes before anything looks at it.

A loopback port without them is a public API: any web page can reach it. So the Host must be ours
(rebinding), a change must not come from another origin, and everything but the probes needs the
token. The order matters: what a stranger may learn shrinks with every step.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
from collections import OrderedDict, deque
from collections.abc import Iterable
from http import HTTPStatus
from urllib.parse import urlsplit

from aiohttp import web

from syncd.clock import Clock
from syncd.telemetry.bus import Bus
from syncd.telemetry.events import ControlRefused
from syncd.web.errors import Refused, TooOften

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Server": "syncd",
}
"""What every answer carries, good or bad."""

OPEN_PATHS = frozenset({"/live", "/ready", "/health"})
"""The addresses that answer without the token."""

WRONG_TOKENS_PER_MINUTE = 20
PEERS_REMEMBERED = 1_000
ACTOR = "token"

_HOST = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(?::[0-9]{1,5})?")


def is_loopback(name: str) -> bool:
    """Tell whether a name or IP literal (no brackets) can only mean this machine."""
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def peer_of(request: web.BaseRequest) -> str:
    """Return where a request comes from."""
    return request.remote or "unknown"


class PeerWindow:
    """Counts what each peer did within the last minute, up to `limit`; memory is bounded."""

    def __init__(self, clock: Clock, limit: int) -> None:
        self._clock = clock
        self._limit = limit
        self._times: OrderedDict[str, deque[float]] = OrderedDict()

    def allows(self, peer: str) -> bool:
        """Count one more, and tell whether it is still within the limit."""
        now = self._clock.monotonic()
        times = self._times.setdefault(peer, deque())
        self._times.move_to_end(peer)
        if len(self._times) > PEERS_REMEMBERED:
            self._times.popitem(last=False)
        while times and times[0] <= now - 60:
            times.popleft()
        if len(times) >= self._limit:
            return False
        times.append(now)
        return True


class Guard:
    """Lets a request pass or raises `Refused`; refusals are told to the bus."""

    def __init__(
        self,
        *,
        token: str,
        allowed_hosts: Iterable[str],
        open_paths: Iterable[str],
        clock: Clock,
        bus: Bus,
    ) -> None:
        self._digest = _digest(token)
        self._open_paths = frozenset(open_paths)
        self._named_hosts = frozenset(name.lower() for name in allowed_hosts)
        self._wrong_tokens = PeerWindow(clock, WRONG_TOKENS_PER_MINUTE)
        # A stranger must not be able to fill the logs: one line more than the limit, a minute.
        self._told = PeerWindow(clock, WRONG_TOKENS_PER_MINUTE + 1)
        self._bus = bus

    def check(self, request: web.Request) -> bool:
        """Tell whether the caller has shown the token; an open path may be called without.

        Raises:
            Refused: the request must not be answered.
        """
        host = self.check_host(request)
        if request.method not in {"GET", "HEAD", "OPTIONS"}:
            self._check_origin(request, host)
        if "token" in request.query:
            raise Refused(
                HTTPStatus.BAD_REQUEST,
                "a token in the address is refused: addresses are logged",
                hint="send the header Authorization: Bearer TOKEN, and make a new token",
            )
        return self._check_token(request)

    def tell(self, request: web.BaseRequest, status: int, reason: str) -> None:
        """Tell the bus that a call was refused; at most a few a minute per peer."""
        peer = peer_of(request)
        if self._told.allows(peer):
            self._bus.emit(
                ControlRefused(
                    peer=peer,
                    method=request.method,
                    path=request.rel_url.raw_path[:200],
                    status=status,
                    reason=reason,
                )
            )

    def check_host(self, request: web.Request, also: str = "") -> str:
        """Return the host that a request is for; `also` is one more by which we may be called.

        Raises:
            Refused: it is for another one, or nobody knows.
        """
        hosts = request.headers.getall("Host", [])
        if len(hosts) != 1 or not hosts[0]:
            raise Refused(
                HTTPStatus.BAD_REQUEST, "the request names no Host", hint="send one Host header"
            )
        host = hosts[0].lower()
        if not self._is_ours(host, also) or not _is_for(host, request.raw_path):
            raise Refused(
                HTTPStatus.FORBIDDEN,
                "this Host is not ours",
                hint="use a loopback address, or add the name to [web] allowed_hosts",
            )
        return host

    def _is_ours(self, host: str, also: str) -> bool:
        parts = _HOST.fullmatch(host)
        if parts is None:
            return False
        name = parts[1].strip("[]")
        return is_loopback(name) or name in self._named_hosts or (name == also != "")

    def _check_origin(self, request: web.Request, host: str) -> None:
        # Browsers leave Sec-Fetch-Site out on plain http to a LAN address, so Origin counts too.
        site = request.headers.get("Sec-Fetch-Site", "none")
        origin = request.headers.get("Origin")
        expected = {f"{request.scheme}://{host}"}
        if not is_loopback(_name_of(host)):
            expected.add(f"https://{host}")  # a proxy of the operator's may speak TLS for us
        if site not in {"none", "same-origin"} or (origin is not None and origin not in expected):
            raise Refused(
                HTTPStatus.FORBIDDEN,
                "a page of another origin may change nothing",
                hint="call from the command line or from our own page",
            )

    def _check_token(self, request: web.Request) -> bool:
        given = request.headers.getall("Authorization", [])
        if not given and request.path in self._open_paths:
            return False
        if not given:
            raise Refused(
                HTTPStatus.UNAUTHORIZED,
                "the token is missing",
                hint="send the header Authorization: Bearer TOKEN",
            )
        if len(given) == 1 and self._is_token(given[0]):
            return True
        # The right token always passes, so nobody can lock the operator out by guessing.
        if not self._wrong_tokens.allows(peer_of(request)):
            raise TooOften(
                "too many wrong tokens", seconds=60, rule="use the token of the token file"
            )
        raise Refused(
            HTTPStatus.UNAUTHORIZED, "the token is wrong", hint="use the token of the token file"
        )

    def _is_token(self, header: str) -> bool:
        scheme, _, token = header.partition(" ")
        return hmac.compare_digest(_digest(token.strip()), self._digest) and (
            scheme.lower() == "bearer"
        )


def _digest(token: str) -> bytes:
    # Header bytes that are not UTF-8 arrive as surrogates; they make a wrong token, not a crash.
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()


def _name_of(host: str) -> str:
    parts = _HOST.fullmatch(host)
    return parts[1].strip("[]") if parts else ""


def _is_for(host: str, target: str) -> bool:
    """Tell whether the request line, which may hold a whole URL, means the same host."""
    if target.startswith("/") or target == "*":
        return True
    try:
        return urlsplit(target).netloc.lower() == host
    except ValueError:
        return False
