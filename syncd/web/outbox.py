"""The addresses of deliveries: what is under way, what waits for a person, what was told."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated, Literal

from pydantic import Field

from syncd.errors import BadInput
from syncd.model.notification import DeliveryState
from syncd.model.outbox import OPEN, Order, Wanted
from syncd.web.routes import LARGEST_ID, Call, Input, Nothing, Route, Routes, Text
from syncd.web.service import Json, Service

_Name = Annotated[Text | None, Field(min_length=1, max_length=128)]
_Before = Annotated[int | None, Field(ge=1, le=LARGEST_ID)]
_Limit = Annotated[int, Field(ge=1, le=1_000)]
_SUMMARIES = {
    Order.RETRY: "Send a delivery once more; 409 when its contest has begun or nothing reaches it",
    Order.DROP: "Never send a delivery; 409 when it was sent, or is about to be",
}


class OutboxQuery(Input):
    """Which deliveries; `before` continues behind the last one of a page.

    `open` is what was not delivered and may be yet.
    """

    state: Literal[
        "open", "pending", "sending", "sent", "failed", "unknown", "expired", "dropped", "all"
    ] = "open"
    channel: _Name = None
    user: _Name = None
    before: _Before = None
    limit: _Limit = 50


class HistoryQuery(Input):
    """Which of a user's notifications; `before` continues behind the last one of a page."""

    before: _Before = None
    limit: _Limit = 50


class RetryInput(Input):
    """Of which deliveries: all that nobody knows to have arrived, perhaps over one channel."""

    all_unknown: bool = False
    channel: _Name = None


class StatisticsQuery(Input):
    """Of how many days, today's included."""

    days: Annotated[int, Field(ge=1, le=366)] = 7


class Outbox:
    """Answers under `/api/outbox` and `/api/notifications`."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def routes(self) -> Routes:
        """Return this subject's addresses."""
        return (
            Route(
                method="GET",
                path="/api/outbox",
                summary="Deliveries, newest first",
                takes=OutboxQuery,
                answer=self._list,
            ),
            Route(
                method="POST",
                path="/api/outbox/retry",
                summary="Send once more what nobody knows to have arrived",
                takes=RetryInput,
                answer=self._retry_unknown,
            ),
            *(self._order(order) for order in Order),
            *self._of_users(),
        )

    def _order(self, order: Order) -> Route[Nothing]:
        answer: Callable[[Call[Nothing]], Awaitable[Json]] = partial(self._decide, order)
        return Route(
            method="POST",
            path=f"/api/outbox/{{id}}/{order}",
            summary=_SUMMARIES[order],
            takes=Nothing,
            answer=answer,
        )

    def _of_users(self) -> Routes:
        return (
            Route(
                method="GET",
                path="/api/users/{key}/notifications",
                summary="What a user was told, newest first",
                takes=HistoryQuery,
                answer=self._history,
            ),
            Route(
                method="POST",
                path="/api/notifications/{id}/read",
                summary="Note that its user has read it; the first time counts",
                takes=Nothing,
                answer=self._read,
            ),
            Route(
                method="GET",
                path="/api/notifications/statistics",
                summary="Deliveries by channel and day (UTC): sent, failed, unknown, expired, read",
                takes=StatisticsQuery,
                answer=self._statistics,
            ),
        )

    async def _list(self, call: Call[OutboxQuery]) -> Json:
        given = call.given
        wanted = Wanted(states=_states(given.state), channel=given.channel, user_key=given.user)
        return {"deliveries": await self._service.outbox(wanted, given.before, given.limit)}

    async def _decide(self, order: Order, call: Call[Nothing]) -> Json:
        number = call.number("id")
        return await self._service.decide_delivery(order, number, actor=call.actor)

    async def _retry_unknown(self, call: Call[RetryInput]) -> Json:
        if not call.given.all_unknown:
            raise BadInput("say all_unknown: true", hint="nothing was changed")
        return await self._service.retry_unknown(call.given.channel)

    async def _history(self, call: Call[HistoryQuery]) -> Json:
        given = call.given
        found = await self._service.notifications(call.name("key"), given.before, given.limit)
        return {"notifications": found}

    async def _read(self, call: Call[Nothing]) -> Json:
        return await self._service.mark_read(call.number("id"))

    async def _statistics(self, call: Call[StatisticsQuery]) -> Json:
        return await self._service.delivery_statistics(call.given.days)


def _states(word: str) -> tuple[DeliveryState, ...]:
    if word == "open":
        return OPEN
    return tuple(DeliveryState) if word == "all" else (DeliveryState(word),)
