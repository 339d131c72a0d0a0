"""Connections: how many there may be, and what is answered to one that speaks no proper HTTP."""

from __future__ import annotations

import asyncio
import secrets
from http import HTTPStatus
from typing import Any, cast

import structlog
from aiohttp import web

from syncd.web.answer import json_response
from syncd.web.security import HEADERS

KEEPALIVE_SECONDS = 20.0
LINGERING_SECONDS = 1.0
BUSY = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\n"
    b"Retry-After: 5\r\nConnection: close\r\n\r\n"
    b'{"error":"there are too many connections","hint":"close some, or try again"}'
)

log = structlog.get_logger()


class Doorman(asyncio.Protocol):
    """Takes a new connection: hands it on to HTTP, or turns it away when the house is full."""

    def __init__(self, server: web.Server, largest_crowd: int) -> None:
        self._server = server
        self._largest_crowd = largest_crowd

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Decide at the door, before anything is read."""
        door = cast("asyncio.Transport", transport)
        if len(self._server.connections) >= self._largest_crowd:
            door.write(BUSY)
            door.close()
            return
        speaker = HttpConnection(
            self._server,
            loop=asyncio.get_running_loop(),
            access_log=None,  # type: ignore[arg-type]  # aiohttp: no access log
            keepalive_timeout=KEEPALIVE_SECONDS,
            lingering_time=LINGERING_SECONDS,
            auto_decompress=False,
        )
        door.set_protocol(speaker)
        speaker.connection_made(transport)


class HttpConnection(web.RequestHandler):
    """aiohttp's connection with our own words for what went wrong unforeseen."""

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - repeats what was sent
    ) -> web.StreamResponse:
        """Answer a crash with a reference to the log, broken HTTP with as little as possible."""
        if request.writer.output_size > 0:
            raise ConnectionError("the answer is under way; only closing tells of the failure")
        if status < HTTPStatus.INTERNAL_SERVER_ERROR:
            body = {"error": "this is no valid HTTP request", "hint": "use an HTTP/1.1 client"}
        else:
            body = _tell_crash(request, exc)
        # Requests that could not be parsed pass no signal, which sets these everywhere else.
        response = json_response(body, status, HEADERS)
        response.force_close()
        return response


def _tell_crash(request: web.BaseRequest, exc: BaseException | None) -> dict[str, Any]:
    reference = secrets.token_hex(4)
    path = request.rel_url.raw_path[:200]
    log.error("control.crashed", reference=reference, path=path, exc_info=exc)
    return {
        "error": "the call failed unexpectedly",
        "hint": f"look for {reference} in syncd's log",
        "reference": reference,
    }
