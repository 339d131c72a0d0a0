"""A webhook's other end: takes JSON over HTTP, answers as a test says, and remembers."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from fakes.waiting import until

SECRET = "B0x7QkLmNoPqRsTuVwXyZ"
"""Stands in the path and in the query of every receiver's address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Says:
    """One answer: `after_seconds` late, or never where the receiver is hung."""

    status: int = 200
    text: str = "ok"
    headers: Mapping[str, str] = field(default_factory=dict)
    after_seconds: float = 0.0


class Receiver:
    """Answers with `says` in turn, and once these are used up with `usual`."""

    def __init__(self) -> None:
        self.says: deque[Says] = deque()
        self.usual = Says()
        self.got: list[dict[str, Any]] = []
        self.headers: list[Mapping[str, str]] = []
        self.url = ""

    async def take(self, request: web.Request) -> web.Response:
        assert request.raw_path == f"/services/{SECRET}?key={SECRET}"
        self.headers.append(request.headers)
        self.got.append(await request.json())
        says = self.says.popleft() if self.says else self.usual
        await asyncio.sleep(says.after_seconds)
        return web.Response(status=says.status, text=says.text, headers=says.headers)

    def events(self) -> list[str]:
        return [body["event"] for body in self.got]

    async def has_got(self, count: int) -> list[dict[str, Any]]:
        """Return what came once so much of it has come."""

        async def ask() -> bool:
            return len(self.got) >= count

        await until(ask, what=f"{count} alerts; there are {self.events()}")
        return self.got


@contextlib.asynccontextmanager
async def receiver(port: int = 0) -> AsyncIterator[Receiver]:
    """Listen on a port of this machine."""
    end = Receiver()
    app = web.Application()
    app.router.add_post("/services/{key}", end.take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port)
    await site.start()
    real = runner.addresses[0][1]
    end.url = address(real)
    try:
        yield end
    finally:
        await runner.cleanup()


def address(port: int) -> str:
    """Return the address of a receiver, which may not listen yet."""
    return f"http://127.0.0.1:{port}/services/{SECRET}?key={SECRET}"
