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
        is_standby_fine = request.query.get("standby") == "ok"
        return self._verdict(request, ("ready", "not ready"), is_standby_fine=is_standby_fine)

    async def _health(self, request: web.Request) -> web.Response:
        return self._verdict(request, ("ok", "degraded"), is_standby_fine=True)

    def _verdict(
        self, request: web.Request, words: tuple[str, str], *, is_standby_fine: bool
    ) -> web.Response:
        good, bad = words
        is_ready, why = self._service.is_ready()
        is_standby = self._service.is_standby()
        body: Json = {"status": "standby" if is_standby else good if is_ready else bad}
        if request[HAS_TOKEN]:
            body["why"] = why
        is_fine = is_ready or (is_standby and is_standby_fine)
        return json_response(body, HTTPStatus.OK if is_fine else HTTPStatus.SERVICE_UNAVAILABLE)
