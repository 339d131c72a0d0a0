"""Calls that come while the database is busy with another go together, in one statement.

A thousand runs that begin in one second are one UPDATE then, not a thousand transactions; a call
that comes alone goes at once and alone.
"""

from __future__ import annotations

import asyncio
import copy
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Generic, TypeVar

from syncd.store.translation import Collided, RowRefused

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")


class _Turn(Enum):
    LEAD = auto()
    ALONE = auto()


@dataclass(frozen=True, slots=True)
class _Answered(Generic[Answer]):
    answer: Answer


@dataclass(frozen=True, slots=True)
class _Waiter(Generic[Asked, Answer]):
    asked: Asked
    turn: asyncio.Future[_Turn | _Answered[Answer]]


class Together(Generic[Asked, Answer]):
    """Gathers calls, and lets the first of them act for all.

    Args:
        act: takes what was asked and returns as many answers, in that order; safe to repeat.
        most: so many go together.
    """

    def __init__(
        self, act: Callable[[Sequence[Asked]], Awaitable[Sequence[Answer]]], *, most: int = 1_000
    ) -> None:
        self._act = act
        self._most = most
        self._waiting: deque[_Waiter[Asked, Answer]] = deque()
        self._has_leader = False

    async def ask(self, asked: Asked) -> Answer:
        """Return the answer to `asked`.

        Raises what `act` raises. A row that PostgreSQL refuses, or that another transaction holds,
        fails its own call only: everybody is asked alone then.
        """
        if not self._has_leader:
            self._has_leader = True
            return await self._lead(asked)
        waiter: _Waiter[Asked, Answer]
        waiter = _Waiter(asked, asyncio.get_running_loop().create_future())
        self._waiting.append(waiter)
        try:
            turn = await waiter.turn
        except asyncio.CancelledError:
            if waiter.turn.done() and not waiter.turn.cancelled():
                self._decline(waiter.turn)
            raise
        match turn:
            case _Turn.LEAD:
                return await self._lead(asked)
            case _Turn.ALONE:
                return (await self._act([asked]))[0]
            case _Answered(answer):
                return answer

    async def _lead(self, asked: Asked) -> Answer:
        others: list[_Waiter[Asked, Answer]] = []
        try:
            # Whoever asks in this turn of the loop comes along.
            await asyncio.sleep(0)
            others = self._take()
            answers = await self._act([asked, *(waiter.asked for waiter in others)])
            _tell(others, [_Answered(answer) for answer in answers[1:]])
        except (RowRefused, Collided):
            if not others:
                raise
            _tell(others, [_Turn.ALONE] * len(others))
            answers = await self._act([asked])
        except Exception as error:
            _fail(others, error)
            raise
        except BaseException:
            self._waiting.extendleft(reversed(others))
            raise
        finally:
            self._hand_over()
        return answers[0]

    def _take(self) -> list[_Waiter[Asked, Answer]]:
        taken: list[_Waiter[Asked, Answer]] = []
        while self._waiting and len(taken) < self._most - 1:
            waiter = self._waiting.popleft()
            if not waiter.turn.done():
                taken.append(waiter)
        return taken

    def _hand_over(self) -> None:
        """Let the next who still waits lead."""
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.turn.done():
                waiter.turn.set_result(_Turn.LEAD)
                return
        self._has_leader = False

    def _decline(self, turn: asyncio.Future[_Turn | _Answered[Answer]]) -> None:
        """Pass the lead on: who was to have it was cancelled before it knew."""
        if turn.exception() is None and turn.result() is _Turn.LEAD:
            self._hand_over()


def _tell(
    waiters: Sequence[_Waiter[Asked, Answer]], turns: Sequence[_Turn | _Answered[Answer]]
) -> None:
    for waiter, turn in zip(waiters, turns, strict=True):
        if not waiter.turn.done():
            waiter.turn.set_result(turn)


def _fail(waiters: Sequence[_Waiter[Asked, Answer]], error: Exception) -> None:
    for waiter in waiters:
        if not waiter.turn.done():
            # Each has its own: a raised error collects the frames it passes.
            waiter.turn.set_exception(copy.copy(error))
