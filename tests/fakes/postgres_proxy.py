"""A port before PostgreSQL that reads what is said, and strikes at a named statement.

It understands just enough of the protocol to know which SQL is executed, in which transaction,
and when that has ended: Parse names a statement, Bind and Execute say it, a ReadyForQuery tells
that nothing is open any more. https://www.postgresql.org/docs/current/protocol-message-formats.html
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import struct
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from syncd.model.address import PostgresAddress

_ENCRYPTION_REQUESTS = {80_877_103, 80_877_104}
_IDLE = b"I"


class When(StrEnum):
    """On which side of a statement the blow falls."""

    BEFORE = "before"
    """PostgreSQL never heard of it; what is open in its transaction is rolled back."""
    COMMITTED = "committed"
    """PostgreSQL has committed it, and the reply is not passed on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A place in the conversation: the `nth` time that a statement looks like `sql`.

    Both are regular expressions, searched in the SQL; `within` must have been found in a
    statement of the same transaction before, `holding` in the values of this one.
    """

    sql: str = ""
    when: When = When.BEFORE
    within: str = ""
    holding: bytes = b""
    nth: int = 1

    def fits(self, sql: str, values: bytes, before: list[str]) -> bool:
        """Tell whether a statement is one of those that are counted."""
        return (
            re.search(self.sql, sql, re.DOTALL) is not None
            and self.holding in values
            and (not self.within or any(re.search(self.within, each, re.DOTALL) for each in before))
        )


@dataclass(slots=True)
class Strike:
    """A blow that waits for its point; `fell` is set when it has fallen."""

    point: Point
    blow: Callable[[], object]
    left: int
    fell: asyncio.Event = field(default_factory=asyncio.Event)


class PostgresProxy:
    """Passes everything on, until a strike.

    Args:
        target: the Unix socket of the server.
    """

    def __init__(self, target: Path) -> None:
        self._target = target
        self._strike: Strike | None = None
        self._server: asyncio.Server | None = None
        self._wires: set[_Wire] = set()
        self.port = 0

    async def open(self) -> None:
        """Listen on a free port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Close every connection."""
        assert self._server is not None
        self._server.close()
        for wire in tuple(self._wires):
            wire.cut()
        await self._server.wait_closed()

    def strike(self, point: Point, blow: Callable[[], object] = lambda: None) -> asyncio.Event:
        """Wait for a point, call `blow`, and cut the connection; the event tells that it fell."""
        self._strike = Strike(point, blow, point.nth)
        return self._strike.fell

    def due(self, sql: str, values: bytes, before: list[str]) -> Strike | None:
        """Count a statement; return the strike whose point it is."""
        strike = self._strike
        if strike is None or not strike.point.fits(sql, values, before):
            return None
        strike.left -= 1
        if strike.left > 0:
            return None
        self._strike = None
        return strike

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            behind = await asyncio.open_unix_connection(self._target)
        except OSError:
            writer.transport.abort()
            return
        wire = _Wire(self, (reader, writer), behind)
        self._wires.add(wire)
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                await wire.greet()
                async with asyncio.TaskGroup() as group:
                    there = group.create_task(wire.ask())
                    back = group.create_task(wire.answer())
                    await asyncio.wait((there, back), return_when=asyncio.FIRST_COMPLETED)
                    there.cancel()
                    back.cancel()
        finally:
            wire.cut()
            self._wires.discard(wire)


_Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class _Wire:
    """One connection: a caller, a backend, and what is open between them."""

    def __init__(self, proxy: PostgresProxy, caller: _Streams, behind: _Streams) -> None:
        self._proxy = proxy
        self._from_caller, self._to_caller = caller
        self._from_behind, self._to_behind = behind
        self._prepared: dict[str, str] = {}
        self._bound, self._values = "", b""
        self._said: list[str] = []
        self._doom: Strike | None = None
        # What only prepares a statement ends without a ReadyForQuery: it cannot be held for one.
        self._will_be_ready = False

    def cut(self) -> None:
        for writer in (self._to_caller, self._to_behind):
            writer.transport.abort()

    async def greet(self) -> None:
        """Pass on what comes before the first message that has a type."""
        while True:
            head = await self._from_caller.readexactly(8)
            length, code = struct.unpack("!ii", head)
            self._to_behind.write(head + await self._from_caller.readexactly(length - 8))
            if code not in _ENCRYPTION_REQUESTS:
                return
            self._to_caller.write(await self._from_behind.readexactly(1))

    async def ask(self) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                kind, message = await _next(self._from_caller)
                if self._note(kind, message[5:]):
                    return
                self._to_behind.write(message)
                await self._to_behind.drain()

    async def answer(self) -> None:
        held = b""
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                kind, message = await _next(self._from_behind)
                held += message
                if kind == b"Z" and message[5:6] == _IDLE and self._end_transaction():
                    return
                self._will_be_ready &= kind != b"Z"
                if self._doom is None or not self._will_be_ready:
                    self._to_caller.write(held)
                    await self._to_caller.drain()
                    held = b""

    def _note(self, kind: bytes, body: bytes) -> bool:
        """Learn from a message of the caller; True when the blow has fallen."""
        self._will_be_ready |= kind in {b"S", b"Q"}
        match kind:
            case b"P":
                name, sql = body.split(b"\0", 2)[:2]
                self._prepared[name.decode()] = sql.decode()
            case b"B":
                name = body.split(b"\0", 2)[1]
                self._bound, self._values = self._prepared[name.decode()], body
            case b"E":
                return self._say(self._bound, self._values)
            case b"Q":
                return self._say(body.rstrip(b"\0").decode(), b"")
        return False

    def _say(self, sql: str, values: bytes) -> bool:
        strike = self._proxy.due(sql, values, self._said)
        self._said.append(sql)
        if strike is None:
            return False
        if strike.point.when is When.COMMITTED:
            self._doom = strike
            return False
        self._fall(strike)
        return True

    def _end_transaction(self) -> bool:
        """Forget what was said in a transaction; True when the blow has fallen."""
        self._said.clear()
        strike, self._doom = self._doom, None
        if strike is None:
            return False
        self._fall(strike)
        return True

    def _fall(self, strike: Strike) -> None:
        strike.blow()
        self.cut()
        strike.fell.set()


async def _next(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Read one message: its type, and all of its bytes."""
    head = await reader.readexactly(5)
    length = struct.unpack("!i", head[1:])[0]
    return head[:1], head + await reader.readexactly(length - 4)


@contextlib.asynccontextmanager
async def postgres_proxy(address: PostgresAddress) -> AsyncIterator[PostgresProxy]:
    """Listen on a free port before the server at this address."""
    proxy = PostgresProxy(Path(address.host) / f".s.PGSQL.{address.port}")
    await proxy.open()
    try:
        yield proxy
    finally:
        await proxy.close()
