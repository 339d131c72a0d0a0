"""The address of scores: computing all of them again, and how far that is."""

from __future__ import annotations

from http import HTTPStatus

from syncd.web.routes import Call, Nothing, Route, Routes
from syncd.web.service import Json, Service


class Scores:
    """Answers `/api/rescore`."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def routes(self) -> Routes:
        """Return this subject's addresses."""
        return (
            Route(
                method="POST",
                path="/api/rescore",
                summary="Compute every score again out of stored numbers, without one fetch",
                takes=Nothing,
                answer=self._rescore,
                status=HTTPStatus.ACCEPTED,
            ),
            Route(
                method="GET",
                path="/api/rescore",
                summary="How far the computing of scores is, or what the last one came to",
                takes=Nothing,
                answer=self._show,
                needs_store=False,
            ),
        )

    async def _rescore(self, call: Call[Nothing]) -> Json:
        del call
        return await self._service.rescore()

    async def _show(self, call: Call[Nothing]) -> Json:
        del call
        return await self._service.rescoring()
