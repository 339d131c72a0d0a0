"""The live stream: everything the bus tells, as server-sent events.

Own lines instead of aiohttp-sse 3.0, which failed the stop check: with one client that does not
read, `AppRunner.cleanup()` took 29 s, because `stop_streaming()` does not end a write that is
under way. It also encodes every event once for each client.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections import deque
from dataclasses import dataclass
from http import HTTPStatus

import pydantic_core
from aiohttp import web

from syncd.telemetry.events import Event
from syncd.web.errors import Refused

PING = b": ping\n\n"
SEND_BUFFER = 64 * 1024
FAREWELL_SECONDS = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamLimits:
    """How much a stream may hold back, and how long; the kernel keeps `SEND_BUFFER` more."""

    clients: int = 16
    waiting_events: int = 1_000
    kept_events: int = 500
    ping_seconds: float = 15.0
    stall_seconds: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    number: int
    frame: bytes


class EventStream:
    """Hands events to every open stream; keeps the latest for clients that come back.

    An event is encoded once. A client that falls behind loses what it has not read and gets one
    `resync` instead: it must ask for the state anew. One that reads nothing is cut off.
    """

    def __init__(self, limits: StreamLimits) -> None:
        self._limits = limits
        self._epoch = secrets.token_hex(4)  # numbers of an earlier process mean nothing here
        self._number = 0
        self._kept: deque[_Kept] = deque(maxlen=limits.kept_events)
        self._clients: set[_Client] = set()
        self._closing = False

    def accept(self, event: Event) -> None:
        """Take an event from the bus; returns at once."""
        self._number += 1
        data = pydantic_core.to_json(event, fallback=str, inf_nan_mode="null")
        kept = _Kept(number=self._number, frame=self._frame(event.name, data))
        self._kept.append(kept)
        for client in self._clients:
            client.offer(kept.frame, instead=self._resync())

    def close(self) -> None:
        """End every stream now, also one whose client does not read; new ones are refused."""
        self._closing = True
        for client in self._clients:
            client.end()

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Answer one client until it leaves, stalls, or the server stops.

        Raises:
            Refused: there are too many streams already.
        """
        # One that left counts no more, although its coroutine learns of it at the next ping only.
        streams = sum(client.is_connected for client in self._clients)
        if self._closing or streams >= self._limits.clients:
            raise Refused(
                HTTPStatus.SERVICE_UNAVAILABLE,
                f"no further event stream: {streams} are open",
                hint="close one, or try again once syncd has started",
            )
        client = _Client(request, self._limits)
        self._clients.add(client)
        try:
            client.start_with(self._missed(request.headers.get("Last-Event-ID", "")))
            return await client.run()
        finally:
            self._clients.discard(client)

    def _missed(self, last_id: str) -> list[bytes]:
        """Return what a client that has seen `last_id` must get first."""
        epoch, _, number = last_id.partition("-")
        if not last_id:
            return [PING]  # shows at once that the stream is open
        if epoch != self._epoch or not (number.isascii() and number.isdigit()) or len(number) > 18:
            return [self._resync()]
        first_kept = self._kept[0].number if self._kept else self._number + 1
        if not first_kept - 1 <= int(number) <= self._number:
            return [self._resync()]
        return [PING, *(kept.frame for kept in self._kept if kept.number > int(number))]

    def _resync(self) -> bytes:
        return self._frame("resync", b"{}")

    def _frame(self, name: str, data: bytes) -> bytes:
        # JSON holds no raw line break, so one data line is enough.
        return f"id: {self._epoch}-{self._number}\nevent: {name}\ndata: ".encode() + data + b"\n\n"


class _Client:
    """One open stream: what waits for it, and the one coroutine that writes to it."""

    def __init__(self, request: web.Request, limits: StreamLimits) -> None:
        self._request = request
        self._limits = limits
        self._waiting: deque[bytes] = deque()
        self._news = asyncio.Event()
        self._ended = False
        self._is_writing = False

    @property
    def is_connected(self) -> bool:
        """Tell whether the other side is still there."""
        return self._request.transport is not None

    def start_with(self, frames: list[bytes]) -> None:
        """Put what the client missed in front."""
        self._waiting.extend(frames)
        self._news.set()

    def offer(self, frame: bytes, *, instead: bytes) -> None:
        """Queue a frame; a full queue is emptied and holds `instead` alone."""
        if len(self._waiting) >= self._limits.waiting_events:
            self._waiting.clear()
            frame = instead
        self._waiting.append(frame)
        self._news.set()

    def end(self) -> None:
        """End the stream; a write that is stuck is broken off."""
        self._ended = True
        self._news.set()
        if self._is_writing:
            self._abort()

    async def run(self) -> web.StreamResponse:
        """Write until the stream ends."""
        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"}
        )
        self._bound_buffers()
        await response.prepare(self._request)
        try:
            while not self._ended:
                await self._write(response, await self._next_frames())
        except TimeoutError:
            self._abort()
        except ConnectionError:
            pass  # the client left, which is how streams end
        return response

    async def _next_frames(self) -> bytes:
        try:
            async with asyncio.timeout(self._limits.ping_seconds):
                await self._news.wait()
        except TimeoutError:
            return PING
        frames = b"".join(self._waiting)
        self._waiting.clear()
        self._news.clear()
        return frames

    async def _write(self, response: web.StreamResponse, frames: bytes) -> None:
        self._is_writing = True
        deadline = FAREWELL_SECONDS if self._ended else self._limits.stall_seconds
        async with asyncio.timeout(deadline):
            await response.write(frames)
        self._is_writing = False

    def _bound_buffers(self) -> None:
        # The kernel would take some 4 MB before a client that does not read is noticed.
        transport = self._request.transport
        if transport is not None:
            transport.set_write_buffer_limits(high=SEND_BUFFER)
            connection = transport.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)

    def _abort(self) -> None:
        if self._request.transport is not None:
            self._request.transport.abort()
