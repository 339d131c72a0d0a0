"""The other end of the control port, for the command line: the standard library alone.

It speaks the server's own errors: what the daemon refuses is raised here as the error that the
daemon raised there, hint included.
"""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from syncd.errors import (
    AlreadyRunning,
    BadInput,
    ConfigError,
    NotKnown,
    NotLeading,
    StoreUnavailable,
    SyncdError,
)

Json = dict[str, Any]
Query = Mapping[str, str | int | None]

DEFAULT_PATIENCE_SECONDS = 65.0
"""How long an answer may take; the daemon itself gives up after a minute."""

SILENCE_SECONDS = 45.0
"""A stream that sends not even a ping for so long is dead."""


class DaemonUnreachable(SyncdError):
    """Nothing that speaks our API answers at the address (exit code 3)."""


class TokenRefused(SyncdError):
    """The daemon does not let us in (exit code 8)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamEvent:
    """One event of the stream; `name` is `resync` where events were lost."""

    id: str
    name: str
    data: Json


def api_path(*parts: str | int) -> str:
    """Return the address of `parts` under `/api`, each quoted."""
    return "/api/" + "/".join(quote(str(part), safe="") for part in parts)


class _SocketConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path, timeout_seconds: float) -> None:
        super().__init__("localhost", timeout=timeout_seconds)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket instead of an address."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class ControlClient:
    """Asks a running daemon; one connection a call.

    Every method raises `DaemonUnreachable`, `TokenRefused`, or the error that the daemon answered
    with (`NotKnown`, `BadInput`, `AlreadyRunning`, `ConfigError`, `StoreUnavailable`, else
    `SyncdError`).
    """

    def __init__(
        self,
        host: str,
        port: int,
        token: str,
        *,
        socket_path: Path | None = None,
        timeout_seconds: float = DEFAULT_PATIENCE_SECONDS,
    ) -> None:
        # A wildcard is for listening; it is reached over loopback.
        self._host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
        self._port = port
        self._socket = socket_path
        self._token = token
        self._timeout_seconds = timeout_seconds

    def get(self, path: str, query: Query | None = None) -> Json:
        """Ask for something; a query's None values are left out."""
        pairs = {name: value for name, value in (query or {}).items() if value is not None}
        return self._call("GET", f"{path}?{urlencode(pairs)}" if pairs else path)

    def post(
        self, path: str, body: Json | None = None, *, idempotency_key: str | None = None
    ) -> Json:
        """Order something."""
        return self._call("POST", path, body, idempotency_key)

    def put(self, path: str, body: Json) -> Json:
        """Create or replace something."""
        return self._call("PUT", path, body)

    def patch(self, path: str, body: Json) -> Json:
        """Change something."""
        return self._call("PATCH", path, body)

    def delete(self, path: str, body: Json | None = None) -> Json:
        """Remove something."""
        return self._call("DELETE", path, body)

    def iter_events(self, last_event_id: str = "") -> Iterator[StreamEvent | None]:
        """Follow what happens until the daemon stops; begins behind `last_event_id`.

        The first value, and one every quarter of a minute of silence, is None: the stream is
        open and nothing was told.
        """
        headers = {"Last-Event-ID": last_event_id} if last_event_id else {}
        connection = self._connect(SILENCE_SECONDS)
        try:
            response = self._send(connection, "GET", "/api/events", headers=headers)
            if response.status != 200:
                raise _error_of(response.status, self._read(response))
            yield from self._frames(response)
        finally:
            connection.close()

    def _frames(self, response: http.client.HTTPResponse) -> Iterator[StreamEvent | None]:
        fields: dict[str, str] = {}
        while line := self._guarded_line(response):
            text = line.decode().rstrip("\r\n")
            if text:
                name, _, value = text.partition(":")
                fields[name] = value.removeprefix(" ")
            elif fields.get("data"):
                yield StreamEvent(
                    id=fields.get("id", ""),
                    name=fields.get("event", ""),
                    data=json.loads(fields["data"]),
                )
                fields = {}
            else:
                fields = {}
                yield None

    def _guarded_line(self, response: http.client.HTTPResponse) -> bytes:
        try:
            return response.readline()
        except (OSError, http.client.HTTPException) as exc:
            raise self._unreachable(exc) from exc

    def _call(
        self, method: str, path: str, body: Json | None = None, idempotency_key: str | None = None
    ) -> Json:
        headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
        connection = self._connect(self._timeout_seconds)
        try:
            response = self._send(connection, method, path, headers=headers, body=body)
            answer = self._read(response)
        finally:
            connection.close()
        if response.status >= 400:
            raise _error_of(response.status, answer)
        return answer

    def _connect(self, timeout_seconds: float) -> http.client.HTTPConnection:
        if self._socket is not None:
            return _SocketConnection(self._socket, timeout_seconds)
        return http.client.HTTPConnection(self._host, self._port, timeout=timeout_seconds)

    def _send(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        path: str,
        *,
        headers: dict[str, str],
        body: Json | None = None,
    ) -> http.client.HTTPResponse:
        headers["Authorization"] = f"Bearer {self._token}"
        content = None
        if method != "GET":
            headers["Content-Type"] = "application/json"
            content = json.dumps(body or {}).encode()
        try:
            connection.request(method, path, body=content, headers=headers)
            return connection.getresponse()
        except (OSError, http.client.HTTPException) as exc:
            raise self._unreachable(exc) from exc

    def _read(self, response: http.client.HTTPResponse) -> Json:
        try:
            answer = json.loads(response.read())
        except (OSError, http.client.HTTPException, ValueError) as exc:
            raise self._unreachable(exc) from exc
        if not isinstance(answer, dict):
            raise self._unreachable(TypeError("no JSON object"))
        return answer

    def _unreachable(self, exc: Exception) -> DaemonUnreachable:
        why = "connection refused" if isinstance(exc, ConnectionRefusedError) else _name_of(exc)
        where, key = (
            self._socket or f"{self._host}:{self._port}",
            "socket" if self._socket else "listen",
        )
        return DaemonUnreachable(
            f"no syncd answers on {where}: {why}",
            hint=f"start it (syncd run), or check [web] {key}",
        )


def _name_of(exc: Exception) -> str:
    return (isinstance(exc, OSError) and exc.strerror) or type(exc).__name__


def _error_of(status: int, answer: Json) -> SyncdError:
    message = str(answer.get("error", f"HTTP {status}"))
    hint = str(answer.get("hint", "")) or None
    match status:
        case 401 | 403:
            return TokenRefused(message, hint=hint)
        case 404:
            return NotKnown(message, hint=hint)
        case 409:
            return _conflict_of(message, hint, answer)
        case 400 | 413 | 422:
            return BadInput(*answer.get("problems", [message]), hint=hint)
        case 503:
            return StoreUnavailable(message, hint=hint)
        case _:
            return SyncdError(message, hint=hint)


def _conflict_of(message: str, hint: str | None, answer: Json) -> SyncdError:
    if "run_id" in answer:
        return AlreadyRunning(message, run_id=int(answer["run_id"]), hint=hint)
    if "leader" in answer:
        return NotLeading(message, leader=str(answer["leader"]), hint=hint)
    if "problems" in answer:
        return ConfigError(*answer["problems"], hint=hint)
    return SyncdError(message, hint=hint)
