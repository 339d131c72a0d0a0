"""The real control port in front of a desk."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import aiohttp
from fakes.control import TOKEN
from fakes.controlled import Desk

from syncd.web.server import ControlServer, ControlSettings

Call = Callable[..., Awaitable[tuple[int, Mapping[str, str], Any]]]


@contextlib.asynccontextmanager
async def web_port(desk: Desk) -> AsyncIterator[Call]:
    """Serve the real control port of a desk; the call returns status, headers and body."""
    settings = ControlSettings(port=0, token=TOKEN)
    authorized = {"Authorization": f"Bearer {TOKEN}"}
    async with (
        ControlServer(desk.control, settings, bus=desk.core.bus, clock=desk.clock) as server,
        aiohttp.ClientSession(headers=authorized) as session,
    ):

        async def call(method: str, path: str, **body: Any) -> tuple[int, Mapping[str, str], Any]:
            url = f"http://127.0.0.1:{server.port}{path}"
            async with session.request(method, url, json=body or None) as answer:
                return answer.status, answer.headers, await answer.json()

        yield call
