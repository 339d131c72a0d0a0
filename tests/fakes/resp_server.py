"""A server that speaks Redis's protocol and says what no real one can be made to say."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import hiredis

Answer = Callable[[list[bytes]], bytes]


@contextlib.asynccontextmanager
async def resp_server(answer: Answer) -> AsyncIterator[int]:
    """Reply to every command with the bytes that `answer` returns for it; yields the port."""
    talks: set[asyncio.Task[None]] = set()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        talks.add(task)
        commands = hiredis.Reader()
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            while data := await reader.read(65_536):
                commands.feed(data)
                while (command := commands.gets()) is not False:
                    writer.write(answer(command))
                await writer.drain()
        writer.transport.abort()
        talks.discard(task)

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in talks:
            task.cancel()
        await asyncio.gather(*talks)


def bulk(*words: bytes | None) -> bytes:
    """An array of strings."""
    return b"*%d\r\n" % len(words) + b"".join(
        b"$-1\r\n" if word is None else b"$%d\r\n%s\r\n" % (len(word), word) for word in words
    )
