"""Where code stands, as text: what a task waits for, and what every thread does."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
import traceback
from collections.abc import Iterator
from types import AsyncGeneratorType, CoroutineType, FrameType, GeneratorType
from typing import Any

_LONGEST = 100


def stack_of_task(task: asyncio.Task[Any]) -> str:
    """Return where a task stands, the outermost call first.

    `Task.get_stack` of a task that waits tells its outermost call only; this follows what each
    call waits for, through coroutines and generators, asynchronous ones too.
    """
    lines = [f"Task {task.get_name()} (most recent call last):\n"]
    frames = list(_frames(task.get_coro()))
    summary = traceback.StackSummary.extract((frame, frame.f_lineno) for frame in frames)
    return "".join([*lines, *summary.format()])


def stacks_of_threads() -> str:
    """Return where every thread stands; the calls into C that are under way are not seen."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    return "\n".join(
        f"Thread {names.get(number, number)} (most recent call last):\n"
        + "".join(traceback.format_stack(frame))
        for number, frame in sys._current_frames().items()  # noqa: SLF001 - documented, if oddly
    )


def _frames(awaited: object) -> Iterator[FrameType]:
    """Follow what is awaited, from the outermost call to the innermost."""
    for _ in range(_LONGEST):
        match awaited:
            case CoroutineType():
                frame, awaited = awaited.cr_frame, awaited.cr_await
            case GeneratorType():
                frame, awaited = awaited.gi_frame, awaited.gi_yieldfrom
            case AsyncGeneratorType():
                frame, awaited = awaited.ag_frame, awaited.ag_await
            case _:
                awaited = _behind(awaited)
                if awaited is None:
                    return
                continue
        if frame is not None:
            yield frame


def _behind(awaited: object) -> object | None:
    """Return what an iterator of the interpreter's own drives: it has no public name."""
    if type(awaited).__name__ not in {
        "async_generator_asend",
        "async_generator_athrow",
        "coroutine_wrapper",
    }:
        return None
    driven = (CoroutineType, GeneratorType, AsyncGeneratorType)
    return next((one for one in gc.get_referents(awaited) if isinstance(one, driven)), None)
