"""The embedded servers' lives, each in a task of its own, so that any task may ask for them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Self

from syncd.embedded.server import EmbeddedServer


class Servers:
    """Starts servers side by side when asked, stops them when the context ends."""

    def __init__(self, servers: Sequence[EmbeddedServer]) -> None:
        self._servers = servers
        self._group = asyncio.TaskGroup()
        self._release = asyncio.Event()
        self._starting: list[tuple[asyncio.Task[None], asyncio.Future[None]]] = []

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._release.set()
        await self._group.__aexit__(None, None, None)

    async def start(self) -> None:
        """Start (or adopt) every server and return when all accept connections.

        Raises:
            StartError: one of them cannot start here.
        """
        for server in self._servers:
            up: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            holder = self._group.create_task(self._hold(server, up), name=f"hold {server.name}")
            self._starting.append((holder, up))
        await asyncio.gather(*(up for _, up in self._starting))

    async def _hold(self, server: EmbeddedServer, up: asyncio.Future[None]) -> None:
        try:
            async with server:
                if not up.done():
                    up.set_result(None)
                await self._release.wait()
        except Exception as error:  # a root task's guard: whoever waits for the server is told
            if up.cancelled():
                return  # nobody waits for it any more
            if up.done():
                raise
            up.set_exception(error)

    def give_up_starting(self) -> None:
        """Stop waiting for servers that are still on their way up."""
        for holder, up in self._starting:
            if not up.done():
                holder.cancel()
                up.cancel()
