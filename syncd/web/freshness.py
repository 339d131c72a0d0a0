"""The addresses of freshness: what is oldest, and why a user is as they are."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from syncd.web.routes import Call, Input, Route, Routes, Text
from syncd.web.service import Json, Service


class StaleQuery(Input):
    """Which accounts: of one platform or (empty) of all, and how many."""

    platform: Annotated[Text, Field(max_length=64)] = ""
    limit: Annotated[int, Field(ge=1, le=1_000)] = 20


class WhyQuery(Input):
    """How many attempts of each account."""

    attempts: Annotated[int, Field(ge=1, le=500)] = 20


class Freshness:
    """Answers `/api/stale` and `/api/users/{key}/why`."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def routes(self) -> Routes:
        """Return this subject's addresses."""
        return (
            Route(
                method="GET",
                path="/api/stale",
                summary="Followed accounts without a good answer for longest",
                takes=StaleQuery,
                answer=self._stale,
            ),
            Route(
                method="GET",
                path="/api/users/{key}/why",
                summary="A user's accounts: every attempt, what holds them back, what happens next",
                takes=WhyQuery,
                answer=self._why,
            ),
        )

    async def _stale(self, call: Call[StaleQuery]) -> Json:
        return await self._service.stale(call.given.platform, call.given.limit)

    async def _why(self, call: Call[WhyQuery]) -> Json:
        return await self._service.why(call.name("key"), call.given.attempts)
