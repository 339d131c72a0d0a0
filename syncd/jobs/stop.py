"""Asking a run to come to its end: nothing new begins, what is under way may finish."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Coroutine
from enum import StrEnum
from typing import Any, TypeVar

_T = TypeVar("_T")


class StopReason(StrEnum):
    """Why a run should end before its work is done."""

    DRAIN = "drain"
    CANCEL = "cancel"
    DEADLINE = "deadline"


class Stop:
    """A request to end, made once; the first reason stays.

    `grace_seconds` is how long requests under way may take before they are cancelled, `why` what
    is said of it, empty for the reason's own words.
    """

    __slots__ = ("_event", "grace_seconds", "reason", "why")

    def __init__(self) -> None:
        # Most runs end before anybody waits for this.
        self._event: asyncio.Event | None = None
        self.reason: StopReason | None = None
        self.grace_seconds = 0.0
        self.why = ""

    def request(self, reason: StopReason, grace_seconds: float, why: str = "") -> None:
        """Ask to end."""
        if self.reason is None:
            self.reason, self.grace_seconds, self.why = reason, grace_seconds, why
            if self._event is not None:
                self._event.set()

    @property
    def is_requested(self) -> bool:
        """Tell whether somebody asked to end."""
        return self.reason is not None

    async def wait(self) -> None:
        """Return when somebody asked to end."""
        if self.reason is None:
            self._event = self._event or asyncio.Event()
            await self._event.wait()


async def until_stopped(stop: Stop, work: Coroutine[Any, Any, _T]) -> _T | None:
    """Do work that is all or nothing: cancel it when somebody asks to end, and return None then."""
    results: list[_T] = []

    async def working() -> None:
        results.append(await work)

    async with asyncio.TaskGroup() as group:
        task = group.create_task(working())
        stopping = group.create_task(stop.wait())
        task.add_done_callback(lambda _: stopping.cancel())
        stopping.add_done_callback(lambda _: task.cancel())
    return results[0] if results else None


async def to_its_end(work: Awaitable[_T], grace_seconds: float) -> _T:
    """Await work; who is cancelled meanwhile lets it go on for a while before leaving it."""
    has_ended = asyncio.Event()

    async def working() -> _T:
        try:
            return await work
        finally:
            has_ended.set()

    try:
        return await asyncio.shield(working())
    except asyncio.CancelledError:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace_seconds):
                await has_ended.wait()
        raise
