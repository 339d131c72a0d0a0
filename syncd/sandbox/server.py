"""Give a stand-in an address on this machine."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

from aiohttp import web

# Whoever is still being answered when a stand-in stops gets this long.
SHUTDOWN_SECONDS = 0.2


class Answers(Protocol):
    """Whatever answers requests."""

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""


@asynccontextmanager
async def serve(standin: Answers, *, port: int = 0) -> AsyncIterator[str]:
    """Serve `standin` on 127.0.0.1 as long as the context lasts.

    Args:
        standin: what answers.
        port: 0 takes any free one.

    Yields:
        The base URL, without a slash at its end.
    """
    # Callers who give up free their place at once, as the real services see a closed connection.
    server = web.Server(standin.handle, access_log=None, handler_cancellation=True)
    runner = web.ServerRunner(server, shutdown_timeout=SHUTDOWN_SECONDS)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
