"""The address of alerts: trying where they go."""

from __future__ import annotations

from syncd.web.routes import Call, Nothing, Route, Routes
from syncd.web.service import Json, Service


class Alerts:
    """Answers `/api/alerts`."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def routes(self) -> Routes:
        """Return this subject's addresses."""
        return (
            Route(
                method="POST",
                path="/api/alerts/test",
                summary="Send a test to the webhook of [alerts], and tell what came back",
                takes=Nothing,
                answer=self._test,
                needs_store=False,
                needs_lead=False,
            ),
        )

    async def _test(self, call: Call[Nothing]) -> Json:
        del call
        return await self._service.test_alert()
