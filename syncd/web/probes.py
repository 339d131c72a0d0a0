"""The three addresses that need no token, and tell nothing without it."""

from __future__ import annotations

from http import HTTPStatus

from aiohttp import web

from syncd.web.answer import json_response
from syncd.web.service import Json, Service

HAS_TOKEN = web.RequestKey("has_token", bool)
"""Set on every request by the guard's middleware: whether the caller showed the token."""


class Probes:
    """Answers `/live`, `/ready` and `/health`; asks nothing that could take long."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def register(self, router: web.UrlDispatcher) -> None:
        """Put the three addresses into a router."""
        router.add_get("/live", self._live)
        router.add_get("/ready", self._ready)
        router.add_get("/health", self._health)

    async def _live(self, _request: web.Request) -> web.Response:
        return json_response({"status": "ok"})

    async def _ready(self, request: web.Request) -> web.Response:
        return self._verdict(request, good="ready", bad="not ready")

    async def _health(self, request: web.Request) -> web.Response:
        return self._verdict(request, good="ok", bad="degraded")

    def _verdict(self, request: web.Request, *, good: str, bad: str) -> web.Response:
        is_ready, why = self._service.is_ready()
        body: Json = {"status": good if is_ready else bad}
        if request[HAS_TOKEN]:
            body["why"] = why
        return json_response(body, HTTPStatus.OK if is_ready else HTTPStatus.SERVICE_UNAVAILABLE)
