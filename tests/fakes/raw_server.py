"""A TCP server that says exactly what a test tells it to say: what no decent server would."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable

Says = Callable[[asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def raw_server(says: Says | bytes, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Answer every connection's first request with `says`, then close; yields the port.

    Bytes are sent as they are. A function may write in its own time; it is cancelled at the end.
    """
    talks: set[asyncio.Task[None]] = set()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        talks.add(task)
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            await reader.read(65_536)
            await speak(says, writer)
        writer.close()
        talks.discard(task)

    server = await asyncio.start_server(talk, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in talks:
            task.cancel()
        await asyncio.gather(*talks)


async def speak(says: Says | bytes, writer: asyncio.StreamWriter) -> None:
    """Say it, all of it, and close."""
    if isinstance(says, bytes):
        writer.write(says)
    else:
        await says(writer)
    await writer.drain()
    writer.close()
    await writer.wait_closed()


def http(body: bytes, *headers: str, status: str = "200 OK", length: int | None = None) -> bytes:
    """An answer with a length of its own choosing; -1 leaves it out."""
    length = len(body) if length is None else length
    lines = [f"HTTP/1.1 {status}", *headers]
    if length >= 0:
        lines.append(f"Content-Length: {length}")
    return "\r\n".join([*lines, "", ""]).encode() + body
