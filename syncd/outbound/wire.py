"""Requests and answers on aiohttp's connections, written and read without its session.

aiohttp opens and verifies the connections and parses, unpacks and bounds the answers. What its
session does around that for each request (a request and a response object, cookies, redirects,
authentication, middlewares, a writer) nobody here needs, and it costs as much CPU as all the rest.
Connections are kept here between requests, the one used last first, so that those too many end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import aiohttp
from aiohttp.http import HttpProcessingError
from yarl import URL

from syncd.outbound.head import Answer
from syncd.outbound.request import Request
from syncd.outbound.talk import Talk

CONNECT_SECONDS = 10.0
KEEPALIVE_SECONDS = 30.0


class Wire:
    """Connections to one origin; make it in a running loop.

    Args:
        origin: any address of the origin.
        connector: makes the connections, as many as are asked for.
        headers: go with every request.
        seconds: how long connecting and the answer may take together.
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
        self._loop = asyncio.get_running_loop()
        # Says where to connect, and holds the headers that aiohttp adds: Host, Accept-Encoding.
        self._model = aiohttp.ClientRequest("GET", origin, headers=headers, loop=self._loop)
        self._common: dict[str, str] = {}
        self._lines = ""
        self._names: frozenset[str] = frozenset()
        self._authorize({})
        self._idle: list[Talk] = []  # the one used last at the end
        self._sweeper: asyncio.TimerHandle | None = None

    async def close(self) -> None:
        """Close every connection."""
        self.drop_kept()
        await self._connector.close()

    def drop_kept(self) -> None:
        """Close the connections that wait for their next request."""
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
        while self._idle:
            self._idle.pop().close()

    async def exchange(
        self, request: Request, target: str, authorization: Mapping[str, str]
    ) -> Answer:
        """Send a request and read its answer whole; redirects are not followed.

        A kept connection that the server has closed meanwhile is noticed only when it is used: the
        request, which must be safe to repeat, is then sent again, once, on a new one. What fails on
        a new one has left, and counts against the platform's limits: that is not repeated here.
        What must not be repeated takes no kept connection, of which nobody knows what it has done.

        Args:
            request: what to ask for.
            target: where: the encoded path and query.
            authorization: headers that prove who asks; no others stand in for them.

        Raises:
            aiohttp.ClientError, TimeoutError, OSError: nothing, or no whole answer, came.
            TooLarge: of these; the answer is larger than it may be.
        """
        data = self._bytes_of(request, target, authorization)
        talk = self._kept() if request.is_repeatable else None
        if talk is not None:
            try:
                return await self._on(talk, data, self._seconds, request)
            except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError):
                pass  # closed meanwhile
        began = self._loop.time()
        talk = await self._begin()
        left = self._seconds - (self._loop.time() - began)
        return await self._on(talk, data, left, request)

    async def _on(self, talk: Talk, data: bytes, seconds: float, request: Request) -> Answer:
        try:
            answer = await talk.ask(data, seconds, has_body=request.method != "HEAD")
        except HttpProcessingError as error:
            talk.close()
            # Not the headers of the answer, which may hold anything.
            raise aiohttp.ClientResponseError(
                self._model.request_info, (), status=error.code, message=error.message
            ) from error
        except BaseException:
            talk.close()
            raise
        # Where nothing but what must not be repeated is asked, nobody would take it again.
        if request.is_repeatable:
            self._keep(talk)
        else:
            talk.close()
        return answer

    async def _begin(self) -> Talk:
        try:
            async with asyncio.timeout(self._seconds):
                connection = await self._connector.connect(self._model, [], self._timeout)
        except TimeoutError as error:
            raise aiohttp.ConnectionTimeoutError from error
        try:
            return Talk(connection, self._limit_bytes)
        except BaseException:
            connection.close()
            raise

    def _kept(self) -> Talk | None:
        """Take a connection that waits for its next request, None where there is none."""
        while self._idle:
            talk = self._idle.pop()
            if talk.is_reusable and self._loop.time() - talk.idle_since <= KEEPALIVE_SECONDS:
                return talk
            talk.close()
        return None

    def _keep(self, talk: Talk) -> None:
        if not talk.is_reusable:
            talk.close()
            return
        talk.idle_since = self._loop.time()
        self._idle.append(talk)
        if self._sweeper is None:
            self._sweeper = self._loop.call_later(KEEPALIVE_SECONDS, self._sweep)

    def _sweep(self) -> None:
        """Close what nobody has used for long, or the server has closed."""
        oldest = self._loop.time() - KEEPALIVE_SECONDS
        for talk in self._idle:
            if not talk.is_reusable or talk.idle_since < oldest:
                talk.close()
        self._idle = [talk for talk in self._idle if talk.is_reusable]
        self._sweeper = None
        if self._idle:
            self._sweeper = self._loop.call_later(KEEPALIVE_SECONDS, self._sweep)

    def _bytes_of(self, request: Request, target: str, authorization: Mapping[str, str]) -> bytes:
        lines = self._headers_with(request.headers, authorization)
        content_type, body = request.body()
        if content_type:
            lines += f"Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\n"
        return f"{request.method} {target} HTTP/1.1\r\n{lines}\r\n".encode() + body

    def _headers_with(self, own: Mapping[str, str], authorization: Mapping[str, str]) -> str:
        """Write down the headers of a request; its own stand in for those of every request."""
        if authorization != self._authorization:
            self._authorize(authorization)
        if not own:
            return self._lines
        names = {name.lower() for name in own}
        if self._names.isdisjoint(names):
            return self._lines + _written(own)
        kept = {n: value for n, value in self._common.items() if n.lower() not in names}
        return _written({**kept, **own, **authorization})

    def _authorize(self, authorization: Mapping[str, str]) -> None:
        """Write down what goes with every request as long as this proves who asks."""
        self._authorization = dict(authorization)
        self._common = {**self._model.headers, **authorization}
        self._lines = _written(self._common)
        self._names = frozenset(name.lower() for name in self._common)


def _written(headers: Mapping[str, str]) -> str:
    """Write headers down, one a line.

    Raises:
        ValueError: one holds a control character, which would begin another line; never its value.
    """
    for name, value in headers.items():
        if not (name + value).replace("\t", "").isprintable():
            raise ValueError(f"the header {name!a} holds a control character")
    return "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
