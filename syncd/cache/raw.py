"""A connection to Redis whose replies stay as they came: bytes, numbers and lists of them.

redis-py's reply objects cost ten times what reading costs. Its low-level connection is used here
without them, without its retries (which turn one dead command into a quarter of a minute), and
with several questions under way at once. Every wait has a deadline of our own.

Whatever fails or is cancelled between a question and its reply ends the connection: the reply that
may still come can never be taken for that of another question. The next question connects anew.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Sequence
from typing import Any, Self

from hiredis import pack_command
from redis.asyncio.connection import (
    AbstractConnection,
    Connection,
    SSLConnection,
    UnixDomainSocketConnection,
)
from redis.exceptions import RedisError, ResponseError

from syncd.cache.refusal import broken_off, refused
from syncd.model.address import RedisAddress

Words = tuple[bytes | str | int, ...]
"""A command: its name, then its arguments."""

READ_BYTES = 262_144


class RawConnection:
    """One connection; use as an async context manager. Entering connects.

    `send` and `receive` keep several questions under way: replies come in the order of the
    questions, and one task alone may do so at a time. `ask` may be called by several.

    Everything raises CacheUnavailable or CacheLoading where Redis cannot be used now, and
    SourceUnfit where it refuses what was asked; one sentence each.
    """

    def __init__(self, address: RedisAddress, *, timeout_seconds: float) -> None:
        self._address = address
        self._timeout_seconds = timeout_seconds
        self._connection: AbstractConnection | None = None
        self._awaited: deque[str] = deque()
        self._turn = asyncio.Lock()

    async def __aenter__(self) -> Self:
        await self._connected()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.drop()

    async def send(self, *commands: Words) -> None:
        """Send questions whose replies are received later."""
        packed = [pack_command(words) for words in commands]  # type: ignore[arg-type] # its stub
        await self.send_packed([titled(words) for words in commands], packed)

    async def send_packed(self, titles: Sequence[str], packed: Sequence[bytes]) -> None:
        """Send questions that were packed; `titles` name them, in their order."""
        async with self._bounded(titles[0]) as connection:
            self._awaited.extend(titles)
            await connection.send_packed_command(packed, check_health=False)

    async def receive(self) -> Any:
        """Return the reply to the oldest question that has none yet."""
        question = self._awaited.popleft()
        async with self._bounded(question) as connection:
            return await connection.read_response(disable_decoding=True)

    async def ask(self, *words: bytes | str | int) -> Any:
        """Send one question and return its reply."""
        return (await self.ask_all(words))[0]

    async def ask_all(self, *commands: Words) -> list[Any]:
        """Send questions at once and return their replies; the first refusal is raised."""
        async with self._turn:
            await self.clear()
            await self.send(*commands)
            return [await self.receive() for _ in commands]

    async def ask_together(self, *commands: Words) -> list[Any]:
        """Send questions that are answered at one moment: no command of others comes between."""
        *_, replies = await self.ask_all(("MULTI",), *commands, ("EXEC",))
        for words, reply in zip(commands, replies, strict=True):
            if isinstance(reply, ResponseError):
                raise refused(self._address, titled(words), reply) from reply
        return list(replies)

    async def clear(self) -> None:
        """Be connected, with no reply of earlier questions to come."""
        # A refusal, or whoever went away, may have left replies to later questions on the line.
        if self._awaited or not await self._is_quiet():
            await self.drop()
        await self._connected()

    async def drop(self) -> None:
        """Close at once, whatever is under way."""
        connection, self._connection = self._connection, None
        self._awaited.clear()
        if connection is not None:
            await connection.disconnect(nowait=True)

    async def _is_quiet(self) -> bool:
        """Tell whether nothing waits to be read: neither a stray reply nor the end."""
        if self._connection is None:
            return False
        async with self._bounded("nothing") as connection:
            return not await connection.can_read()

    async def _connected(self) -> None:
        if self._connection is not None:
            return
        self._connection = connection = _made(self._address, self._timeout_seconds)
        if isinstance(connection, SSLConnection):
            # Reads the system's certificates from disk.
            await asyncio.to_thread(connection.ssl_context.get)
        async with self._bounded("a connection"):
            try:
                await connection.connect()  # type: ignore[no-untyped-call] # redis-py has no types here
            except ResponseError:
                # Refused in the greeting: nothing else can be asked on it.
                await self.drop()
                raise

    @contextlib.asynccontextmanager
    async def _bounded(self, question: str) -> AsyncIterator[AbstractConnection]:
        """Do something on the line in time; what goes wrong on it ends it."""
        if self._connection is None:
            raise broken_off(self._address, question, "the connection was closed")
        try:
            async with asyncio.timeout(self._timeout_seconds):
                yield self._connection
        except ResponseError as error:
            raise refused(self._address, question, error) from error
        except TimeoutError as error:
            await self.drop()
            why = f"no answer within {self._timeout_seconds:g} s"
            raise broken_off(self._address, question, why) from error
        except (RedisError, OSError) as error:
            await self.drop()
            raise refused(self._address, question, error) from error
        except BaseException:
            await self.drop()
            raise


def titled(words: Words) -> str:
    """Name a question for messages: the command and its key."""
    shown = [
        word.decode(errors="replace") if isinstance(word, bytes) else str(word)
        for word in words[:2]
    ]
    return " ".join(shown)[:200]


def _made(address: RedisAddress, timeout_seconds: float) -> AbstractConnection:
    common: dict[str, Any] = {
        "db": address.database,
        "username": address.username or None,
        "password": address.password or None,
        "protocol": 2,
        # Both sides have our own deadline, which ends the connection.
        "socket_timeout": None,
        "socket_connect_timeout": timeout_seconds,
        "socket_read_size": READ_BYTES,
        # CLIENT SETINFO may be refused by an ACL, and older servers do not know it.
        "driver_info": None,
    }
    if address.socket:
        return UnixDomainSocketConnection(path=address.socket, **common)
    kind = SSLConnection if address.tls else Connection
    return kind(host=address.host, port=address.port, **common)
