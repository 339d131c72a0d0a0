"""The addresses of dead letters: what waits for a person, and what they decide."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated, Literal

from pydantic import Field

from syncd.errors import BadInput
from syncd.model.letter import Decision, Letters, LetterState
from syncd.web.routes import LARGEST_ID, Call, Input, Nothing, Route, Routes, Text
from syncd.web.service import Json, Service

_Name = Annotated[Text | None, Field(min_length=1, max_length=128)]
_WORDS = {
    Decision.REQUEUE: ("requeue", "Try the item of a dead letter again", "Try those of many again"),
    Decision.DISCARD: ("discard", "Drop a dead letter", "Drop many"),
}


class LettersQuery(Input):
    """Which dead letters; `before` continues behind the last one of a page."""

    state: Literal["open", "requeued", "resolved", "discarded", "all"] = "open"
    job: _Name = None
    platform: _Name = None
    error_class: _Name = None
    before: Annotated[int | None, Field(ge=1, le=LARGEST_ID)] = None
    limit: Annotated[int, Field(ge=1, le=1_000)] = 50


class ChoiceInput(Input):
    """Which of the open dead letters; `all` where nothing narrows the choice."""

    job: _Name = None
    platform: _Name = None
    error_class: _Name = None
    all: bool = False


class DeadLetters:
    """Answers under `/api/dead-letters`."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def routes(self) -> Routes:
        """Return this subject's addresses."""
        return (
            Route(
                method="GET",
                path="/api/dead-letters",
                summary="Items whose attempts are used up, newest first",
                takes=LettersQuery,
                answer=self._list,
            ),
            Route(
                method="GET",
                path="/api/dead-letters/{id}",
                summary="One dead letter",
                takes=Nothing,
                answer=self._show,
            ),
            *(route for decision in Decision for route in self._decisions(decision)),
        )

    def _decisions(self, decision: Decision) -> Routes:
        word, of_one, of_many = _WORDS[decision]
        one: Callable[[Call[Nothing]], Awaitable[Json]] = partial(self._decide, decision)
        many: Callable[[Call[ChoiceInput]], Awaitable[Json]] = partial(self._decide_all, decision)
        return (
            Route(
                method="POST",
                path=f"/api/dead-letters/{word}",
                summary=f"{of_many}: the open ones of a job, a platform, an error class, or all",
                takes=ChoiceInput,
                answer=many,
            ),
            Route(
                method="POST",
                path=f"/api/dead-letters/{{id}}/{word}",
                summary=f"{of_one}; 409 when its item is settled or not followed",
                takes=Nothing,
                answer=one,
            ),
        )

    async def _list(self, call: Call[LettersQuery]) -> Json:
        given = call.given
        states = tuple(LetterState) if given.state == "all" else (LetterState(given.state),)
        chosen = Letters(
            states=states,
            job=given.job,
            platform=given.platform,
            error_class=given.error_class,
        )
        found = await self._service.dead_letters(chosen, given.before, given.limit)
        return {"dead_letters": found}

    async def _show(self, call: Call[Nothing]) -> Json:
        return await self._service.dead_letter(call.number("id"))

    async def _decide(self, decision: Decision, call: Call[Nothing]) -> Json:
        number = call.number("id")
        return await self._service.decide_letter(decision, number, actor=call.actor)

    async def _decide_all(self, decision: Decision, call: Call[ChoiceInput]) -> Json:
        given = call.given
        is_narrowed = any((given.job, given.platform, given.error_class))
        if is_narrowed == given.all:
            raise BadInput(
                "name a job, a platform or an error_class, or all: true",
                hint="nothing was changed",
            )
        chosen = Letters(job=given.job, platform=given.platform, error_class=given.error_class)
        count = await self._service.decide_letters(decision, chosen, actor=call.actor)
        return {decision.value: count}
