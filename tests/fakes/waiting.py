"""Wait for what another process does: asked again and again, with a deadline."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

_T = TypeVar("_T")

# What takes milliseconds alone takes seconds on a machine that runs several suites at once.
DEADLINE_SECONDS = 45.0


async def until(
    ask: Callable[[], Awaitable[_T]], *, what: str, seconds: float = DEADLINE_SECONDS
) -> _T:
    """Return the first answer that is true; fail, naming `what`, when none comes in time."""
    answer: _T | None = None
    try:
        async with asyncio.timeout(seconds):
            while not (answer := await ask()):  # noqa: ASYNC110 - another process sets no event
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"waited {seconds:.0f} s for {what}; last: {answer!r}") from None
    return answer
