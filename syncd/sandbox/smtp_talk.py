"""One connection to a mail server: lines, answers, and TLS in the middle of it."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass, field

_LARGEST_MAIL = 10_000_000
_REPLY_SECONDS = 300


@dataclass(slots=True)
class Talk:
    """One connection: what was said on it so far."""

    number: int
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    is_encrypted: bool
    user: str = ""
    sender: str = ""
    recipients: list[str] = field(default_factory=list)
    in_clear: asyncio.StreamWriter | None = None

    async def encrypt(self, tls: ssl.SSLContext) -> None:
        """Speak TLS from now on, and forget what was said before.

        Not by `StreamWriter.start_tls`: a caller who hangs up over our certificate breaks that.
        """
        loop, old = asyncio.get_running_loop(), self.writer.transport
        protocol = old.get_protocol()
        transport = await loop.start_tls(old, protocol, tls, server_side=True)
        if transport is None:
            raise ConnectionResetError
        # The old one closes the connection when nobody holds it any more.
        self.in_clear = self.writer
        self.writer = asyncio.StreamWriter(transport, protocol, self.reader, loop)
        self.is_encrypted, self.sender, self.recipients = True, "", []

    async def say(self, answer: str) -> None:
        """Send an answer, of several lines if there are."""
        lines = answer.splitlines()
        for index, line in enumerate(lines):
            code, text = line[:3], line[4:]
            joint = " " if index == len(lines) - 1 else "-"
            self.writer.write(f"{code}{joint}{text}\r\n".encode())
        await self.writer.drain()

    async def line(self) -> str:
        """Return the next line; raises ConnectionError at the end."""
        async with asyncio.timeout(_REPLY_SECONDS):
            raw = await self.reader.readline()
        if not raw.endswith(b"\n"):
            raise ConnectionResetError
        return raw.decode("utf-8", "replace").rstrip("\r\n")

    async def content(self) -> bytes:
        """Read a mail up to its final dot; raises ConnectionError where it ends before."""
        lines: list[bytes] = []
        size = 0
        while (line := await self.reader.readline()) != b".\r\n":
            size += len(line)
            if not line.endswith(b"\n") or size > _LARGEST_MAIL:
                raise ConnectionResetError
            lines.append(line.removeprefix(b"."))
        return b"".join(lines)
