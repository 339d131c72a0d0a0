"""Requests and answers on aiohttp's connections, written and read without its session.

aiohttp opens, checks and keeps the connections, parses, unpacks and bounds the answers. What its
session does around that for each request (a request and a response object, cookies, redirects,
authentication, middlewares, a writer) nobody here needs, and it costs as much CPU as all the rest:
229 us for a profile fetched through a session, 119 in this way, side by side on a busy machine.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.http import HttpProcessingError
from yarl import URL

from syncd.outbound.reader import read_body

CONNECT_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """A request as it goes out; `aim` is the beginning of an error about it."""

    method: str
    url: URL
    headers: Mapping[str, str] = field(repr=False)
    json: Any = field(default=None, repr=False)
    aim: str


@dataclass(frozen=True, slots=True)
class Received:
    """An answer that arrived whole; `headers` ignores case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


class Wire:
    """Connections to one origin; make it in a running loop.

    Args:
        origin: any address of the origin; requests must lead there.
        connector: makes and keeps the connections.
        headers: go with every request.
        seconds: how long a request may take, from connecting to the last byte of its answer.
        limit_bytes: the largest body, unpacked.
    """

    def __init__(
        self,
        origin: URL,
        connector: aiohttp.BaseConnector,
        *,
        headers: Mapping[str, str],
        seconds: float,
        limit_bytes: int,
    ) -> None:
        self._connector = connector
        self._seconds = seconds
        self._timeout = aiohttp.ClientTimeout(sock_connect=min(seconds, CONNECT_SECONDS))
        self._limit_bytes = limit_bytes
        # Says where to connect, and holds the headers that aiohttp adds: Host, Accept-Encoding.
        self._model = aiohttp.ClientRequest(
            "GET", origin, headers=headers, loop=asyncio.get_running_loop()
        )
        self._headers = _written(self._model.headers)
        self._names = frozenset(name.lower() for name in self._model.headers)

    async def close(self) -> None:
        """Close every connection."""
        await self._connector.close()

    async def exchange(self, sending: Sending) -> Received:
        """Send a request and read its answer whole; redirects are not followed.

        A connection that the server has closed meanwhile is noticed only when it is used: the
        request, which must be safe to repeat, is sent again, once, as browsers do.

        Raises:
            aiohttp.ClientError, TimeoutError, OSError: nothing, or no whole answer, came.
            BadPayload: the answer is larger than it may be.
        """
        try:
            return await self._in_time(sending)
        except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
            if isinstance(error, aiohttp.ClientConnectorError):
                raise  # it was not even connected
        return await self._in_time(sending)

    async def _in_time(self, sending: Sending) -> Received:
        connection: aiohttp.connector.Connection | None = None
        is_whole = False
        try:
            async with asyncio.timeout(self._seconds):
                connection = await self._connector.connect(self._model, [], self._timeout)
                received = await self._on(connection, sending)
            is_whole = True
        except TimeoutError as error:
            if connection is None:
                raise aiohttp.ConnectionTimeoutError from error
            raise
        except HttpProcessingError as error:
            # Not the headers of the answer, which may hold anything.
            raise aiohttp.ClientResponseError(
                self._model.request_info, (), status=error.code, message=error.message
            ) from error
        finally:
            if connection is not None:
                if is_whole:
                    connection.release()
                else:
                    connection.close()
        return received

    async def _on(self, connection: aiohttp.connector.Connection, sending: Sending) -> Received:
        protocol = connection.protocol
        assert protocol is not None, "a connection that was just lent is open"
        protocol.set_response_params(skip_payload=sending.method == "HEAD", read_until_eof=True)
        _write(protocol, self._bytes_of(sending))
        while True:
            message, payload = await protocol.read()
            if not 100 <= message.code < 200 or message.code == 101:
                break
        body = await read_body(sending.aim, payload.readany, self._limit_bytes)
        return Received(message.code, message.headers, body)

    def _bytes_of(self, sending: Sending) -> bytes:
        lines = self._headers_with(sending.headers)
        body = b""
        if sending.json is not None:
            body = json.dumps(sending.json).encode()
            lines += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        target = sending.url.raw_path_qs
        return f"{sending.method} {target} HTTP/1.1\r\n{lines}\r\n".encode() + body

    def _headers_with(self, own: Mapping[str, str]) -> str:
        """Write down the headers of a request; its own stand in for those of every request."""
        names = {name.lower() for name in own}
        if self._names.isdisjoint(names):
            return self._headers + _written(own)
        kept = {n: value for n, value in self._model.headers.items() if n.lower() not in names}
        return _written(kept) + _written(own)


def _written(headers: Mapping[str, str]) -> str:
    """Write headers down, one a line.

    Raises:
        ValueError: one holds a control character, which would begin another line; never its value.
    """
    for name, value in headers.items():
        if not (name + value).replace("\t", "").isprintable():
            raise ValueError(f"the header {name!a} holds a control character")
    return "".join([f"{name}: {value}\r\n" for name, value in headers.items()])


def _write(protocol: ResponseHandler, data: bytes) -> None:
    if protocol.transport is None:
        raise aiohttp.ClientConnectionResetError("the connection was closed")
    protocol.transport.write(data)
