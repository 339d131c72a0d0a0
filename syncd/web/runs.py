"""The addresses of runs: look back, look at one, cancel."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from pydantic import Field

from syncd.web.routes import LARGEST_ID, Call, Input, Nothing, Route, Routes, Text
from syncd.web.service import Json, Service


class RunsQuery(Input):
    """Which runs; `before` continues behind the last one of a page."""

    job: Annotated[Text | None, Field(max_length=128)] = None
    before: Annotated[int | None, Field(ge=1, le=LARGEST_ID)] = None
    limit: Annotated[int, Field(ge=1, le=500)] = 50


class ItemsQuery(Input):
    """Which items of a run."""

    outcome: Annotated[Text | None, Field(max_length=64)] = None
    limit: Annotated[int, Field(ge=1, le=1_000)] = 100


class Runs:
    """Answers under `/api/runs`."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def routes(self) -> Routes:
        """Return this subject's addresses."""
        return (
            Route(
                method="GET",
                path="/api/runs",
                summary="Runs, newest first",
                takes=RunsQuery,
                answer=self._list,
            ),
            Route(
                method="GET",
                path="/api/runs/{id}",
                summary="One run with its report, also by platform",
                takes=Nothing,
                answer=self._show,
            ),
            Route(
                method="GET",
                path="/api/runs/{id}/items",
                summary="What came of a run's items",
                takes=ItemsQuery,
                answer=self._items,
            ),
            Route(
                method="POST",
                path="/api/runs/{id}/cancel",
                summary="Ask a run to stop at its next item",
                takes=Nothing,
                answer=self._cancel,
                status=HTTPStatus.ACCEPTED,
            ),
        )

    async def _list(self, call: Call[RunsQuery]) -> Json:
        given = call.given
        return {"runs": await self._service.runs(given.job, given.before, given.limit)}

    async def _show(self, call: Call[Nothing]) -> Json:
        return await self._service.run(call.number("id"))

    async def _items(self, call: Call[ItemsQuery]) -> Json:
        given = call.given
        run_id = call.number("id")
        return {"items": await self._service.run_items(run_id, given.outcome, given.limit)}

    async def _cancel(self, call: Call[Nothing]) -> Json:
        return await self._service.cancel(call.number("id"))
