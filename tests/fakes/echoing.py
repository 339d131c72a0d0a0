"""A Spotify that sends back whatever secret it is shown, each user's in another way."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web

CLIENT_ID, CLIENT_SECRET = "client-of-the-echo", "canary-secret-of-the-echo"
USERS = range(10)
# Whose grant is to be refreshed before it can be used.
REFRESHED = range(5, 10)


class Echo:
    """Answers with the headers and forms it gets: `shown` are all of them."""

    def __init__(self) -> None:
        self.shown: list[str] = []

    async def answer(self, request: web.BaseRequest) -> web.Response:
        """Send back what was sent, in the way of the user whose token it is."""
        told = f"{request.headers.get('Authorization')} {await request.text()}"
        self.shown.append(told)
        found = re.search(r"canary-(?:access|refresh)-(\d)", told)
        user = int(found[1]) if found else 0
        if request.path.endswith("/api/token") and user == REFRESHED[0]:
            tokens = {"access_token": f"canary-access-{user}-new", "expires_in": 3600}
            fresh = {
                **tokens,
                "token_type": "Bearer",
                "refresh_token": f"canary-refresh-{user}-new",
            }
            return web.json_response({**fresh, "scope": "user-read-recently-played"})
        return self._echo(told, user % 5)

    def _echo(self, told: str, way: int) -> web.Response:
        match way:
            case 0:
                return web.Response(text=f"<html>{told}</html>", content_type="text/html")
            case 1:
                return web.json_response({"error": {"status": 403, "message": told}}, status=403)
            case 2:
                return web.json_response({"error": told, "error_description": told}, status=400)
            case 3:
                return web.json_response({"items": told, "access_token": [told]})
            case _:
                return web.Response(text=told, content_type="application/json", status=500)


def grants() -> str:
    """Return the grants of all users as JSON lines, for `syncd tokens import`."""
    now = datetime.now(UTC)
    return "".join(f"{json.dumps(_grant(user, now))}\n" for user in USERS)


def _grant(user: int, now: datetime) -> dict[str, Any]:
    grant = {
        "key": f"u{user}",
        "platform": "spotify",
        "handle": f"listener-{user}",
        "refresh_token": f"canary-refresh-{user}",
        "granted_at": (now - timedelta(days=1)).isoformat(),
    }
    if user in REFRESHED:
        return grant
    ends_at = (now + timedelta(hours=1)).isoformat()
    return {**grant, "access_token": f"canary-access-{user}", "access_expires_at": ends_at}


@contextlib.asynccontextmanager
async def echo() -> AsyncIterator[tuple[Echo, str]]:
    """Serve it; yields it and its address."""
    echoing = Echo()
    runner = web.ServerRunner(web.Server(echoing.answer))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield echoing, site.name
    finally:
        await runner.cleanup()
