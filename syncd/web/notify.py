"""The address that tries a channel."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from syncd.web.routes import Call, Input, Route, Routes, Text
from syncd.web.service import Json, Service

_LONGEST_ADDRESS = 4_096


class _Sample(Input):
    """Where a sample goes; of Web Push the subscription, written as JSON."""

    unlogged: ClassVar[frozenset[str]] = frozenset({"address"})

    channel: Text = Field(max_length=64)
    address: Text = Field(max_length=_LONGEST_ADDRESS)


class Notify:
    """Answers `/api/notify`."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def routes(self) -> Routes:
        """Return this subject's addresses."""
        return (
            Route(
                method="POST",
                path="/api/notify/test",
                summary="Send a sample reminder over a channel, and tell what came of it",
                takes=_Sample,
                answer=self._test,
                needs_store=False,
                needs_lead=False,
                answer_seconds=240.0,
            ),
        )

    async def _test(self, call: Call[_Sample]) -> Json:
        return await self._service.test_channel(call.given.channel, call.given.address)
