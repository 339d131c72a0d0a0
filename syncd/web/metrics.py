"""The address that Prometheus scrapes: text, not JSON."""

from __future__ import annotations

from aiohttp import web

from syncd.telemetry.metrics import CONTENT_TYPE
from syncd.web.service import Service

METRICS_PATH = "/metrics"


class MetricsPage:
    """Answers `/metrics`."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def register(self, router: web.UrlDispatcher) -> None:
        """Put the address into a router."""
        router.add_get(METRICS_PATH, self._metrics)

    async def _metrics(self, _request: web.Request) -> web.Response:
        return web.Response(
            body=await self._service.metrics(), headers={"Content-Type": CONTENT_TYPE}
        )
