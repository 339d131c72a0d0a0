"""A TCP port before a server: slow, cut, silent without closing, or answering in its place."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

from fakes.raw_server import Says, speak

CHUNK = 65_536


class TcpProxy:
    """Passes bytes on as long as nothing is wrong with the line.

    `delay_seconds` go by before each `slice_bytes` that are passed on, both ways.

    Of a plain HTTP caller (no bodies, no pipelining) every chunk is a request: `requests` holds
    what was asked for, and `instead` may answer one itself, after which the connection is closed.

    Args:
        target: the Unix socket behind it, or the port on 127.0.0.1.
        tls: how to speak to the callers; what is behind is always spoken to in the clear.
    """

    def __init__(self, target: Path | int, tls: ssl.SSLContext | None = None) -> None:
        self._target = target
        self.tls = tls
        self.requests: list[str] = []
        self.instead: Callable[[str], Says | bytes | None] = lambda _: None
        self._flows = asyncio.Event()
        self._flows.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self._cuts = 0
        self.delay_seconds = 0.0
        self.slice_bytes = CHUNK
        self.port = 0

    async def mend(self) -> None:
        """Listen on the port (the same as before, if there was one) and let bytes flow."""
        self._flows.set()
        if self._server is None:
            serve = functools.partial(self._serve, self._cuts)
            self._server = await asyncio.start_server(serve, "127.0.0.1", self.port, ssl=self.tls)
            self.port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        """Close every connection and refuse new ones."""
        self._cuts += 1
        server, self._server = self._server, None
        # Asked before it closes; later it would not wait for anybody.
        gone = asyncio.ensure_future(_all_gone(server))
        await asyncio.sleep(0)
        if server is not None:
            server.close()
        for writer in tuple(self._writers):
            writer.transport.abort()
        # Also of those who are still greeting each other in TLS, whom nobody else knows.
        await asyncio.wait([gone], timeout=5)
        gone.cancel()

    def go_silent(self) -> None:
        """Keep every connection, accept new ones, and pass nothing on: a black hole."""
        self._flows.clear()

    @property
    def connections(self) -> int:
        """How many callers are connected."""
        return len(self._writers) // 2

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if isinstance(self._target, Path):
            return await asyncio.open_unix_connection(self._target)
        return await asyncio.open_connection("127.0.0.1", self._target)

    async def _serve(
        self, cuts: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            behind_reader, behind_writer = await self._connect()
        except OSError:
            writer.transport.abort()
            return
        if cuts != self._cuts:  # cut while this was still connecting
            writer.transport.abort()
            behind_writer.transport.abort()
            return
        pair = {writer, behind_writer}
        self._writers |= pair
        try:
            with contextlib.suppress(OSError):
                async with asyncio.TaskGroup() as group:
                    there = group.create_task(self._ask(reader, behind_writer, writer))
                    back = group.create_task(self._pass_on(behind_reader, writer))
                    await asyncio.wait((there, back), return_when=asyncio.FIRST_COMPLETED)
                    there.cancel()
                    back.cancel()
        finally:
            self._writers -= pair
            for each in pair:
                each.transport.abort()

    async def _ask(
        self,
        reader: asyncio.StreamReader,
        behind: asyncio.StreamWriter,
        caller: asyncio.StreamWriter,
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(CHUNK):
                if data.startswith(b"GET "):
                    self.requests.append(data.split(b" ", 2)[1].decode())
                    if (says := self.instead(self.requests[-1])) is not None:
                        await _until_first(speak(says, caller), reader.read())
                        return
                await self._send(data, behind)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(CHUNK):
                await self._send(data, writer)

    async def _send(self, data: bytes, writer: asyncio.StreamWriter) -> None:
        while data:
            await asyncio.sleep(self.delay_seconds)
            await self._flows.wait()
            slice_, data = data[: self.slice_bytes], data[self.slice_bytes :]
            writer.write(slice_)
            await writer.drain()


async def _all_gone(server: asyncio.Server | None) -> None:
    if server is not None:
        await server.wait_closed()


async def _until_first(*works: Coroutine[Any, Any, object]) -> None:
    """Do all at once until one has ended; here: until it is said, or the caller has hung up."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@contextlib.asynccontextmanager
async def tcp_proxy(
    target: Path | int, tls: ssl.SSLContext | None = None
) -> AsyncIterator[TcpProxy]:
    """Listen on a free port before `target`, a Unix socket or a port."""
    proxy = TcpProxy(target, tls)
    await proxy.mend()
    try:
        yield proxy
    finally:
        await proxy.mend()
        await proxy.cut()
