"""The service manager's side of sd_notify: a datagram socket that writes down what it hears."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fakes.waiting import until


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What was told at once, by name, and when (monotonic)."""

    at: float
    told: dict[str, str]


@dataclass(slots=True)
class ServiceManager:
    """Listens at `address`, the value of NOTIFY_SOCKET."""

    address: str
    messages: list[Message] = field(default_factory=list)

    def named(self, name: str) -> Sequence[Message]:
        """Return the messages that tell a variable."""
        return [message for message in self.messages if name in message.told]

    def statuses(self) -> list[str]:
        return [message.told["STATUS"] for message in self.named("STATUS")]

    async def heard(self, name: str, *, after: float = 0.0) -> Message:
        """Return the first message with a variable that came after an instant, once it came."""

        async def look() -> Sequence[Message]:
            return [message for message in self.named(name) if message.at > after]

        return (await until(look, what=f"{name} to be told"))[0]

    async def heard_status(self, words: str) -> Message:
        """Return the first message whose status holds these words, once it came."""

        async def look() -> Sequence[Message]:
            return [each for each in self.named("STATUS") if words in each.told["STATUS"]]

        return (await until(look, what=f"the status {words!r} among {self.statuses()}"))[0]


@contextlib.contextmanager
def service_manager(address: Path | None = None) -> Iterator[ServiceManager]:
    """Listen at a path, or at an abstract name where there is none, in the running loop."""
    named = str(address) if address else f"@syncd-test-{secrets.token_hex(8)}"
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as listener:
        listener.bind(named.replace("@", "\0", 1) if named.startswith("@") else named)
        manager = ServiceManager(named)

        def listen() -> None:
            lines = listener.recv(4096).decode().splitlines()
            told = dict(line.split("=", 1) for line in lines)
            manager.messages.append(Message(at=time.monotonic(), told=told))

        loop.add_reader(listener, listen)
        try:
            yield manager
        finally:
            loop.remove_reader(listener)
