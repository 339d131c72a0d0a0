"""A TCP port before somebody's Unix socket, which can be slow, cut, or silent without closing."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

CHUNK = 65_536


class TcpProxy:
    """Passes bytes on as long as nothing is wrong with the line.

    Args:
        target: the socket behind it.
    """

    def __init__(self, target: Path) -> None:
        self._target = target
        self._flows = asyncio.Event()
        self._flows.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self.delay_seconds = 0.0
        self.port = 0

    async def mend(self) -> None:
        """Listen on the port (the same as before, if there was one) and let bytes flow."""
        self._flows.set()
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
            self.port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        """Close every connection and refuse new ones."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in tuple(self._writers):
            writer.transport.abort()

    def go_silent(self) -> None:
        """Keep every connection, accept new ones, and pass nothing on: a black hole."""
        self._flows.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            behind_reader, behind_writer = await asyncio.open_unix_connection(self._target)
        except OSError:
            writer.transport.abort()
            return
        pair = {writer, behind_writer}
        self._writers |= pair
        try:
            with contextlib.suppress(OSError):
                async with asyncio.TaskGroup() as group:
                    there = group.create_task(self._pass_on(reader, behind_writer))
                    back = group.create_task(self._pass_on(behind_reader, writer))
                    await asyncio.wait((there, back), return_when=asyncio.FIRST_COMPLETED)
                    there.cancel()
                    back.cancel()
        finally:
            self._writers -= pair
            for each in pair:
                each.transport.abort()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(CHUNK):
                await asyncio.sleep(self.delay_seconds)
                await self._flows.wait()
                writer.write(data)
                await writer.drain()


@contextlib.asynccontextmanager
async def tcp_proxy(target: Path) -> AsyncIterator[TcpProxy]:
    """Listen on a free port before the Unix socket `target`."""
    proxy = TcpProxy(target)
    await proxy.mend()
    try:
        yield proxy
    finally:
        await proxy.mend()
        await proxy.cut()
