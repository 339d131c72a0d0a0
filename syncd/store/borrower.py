"""Who holds a connection of the pool: what a person must know when there is no free one."""

from __future__ import annotations

import inspect
from types import FrameType

import structlog

# What stands between whoever asks for a connection and us.
_BETWEEN = {"contextlib", "syncd.store.database", __name__}


def borrower() -> str:
    """Name the method that asks for a connection now, and the run it does so for."""
    # Names that callers would have to hand down are wrong after the first copy; frames are not.
    frame: FrameType | None = inspect.currentframe()
    while frame is not None and frame.f_globals.get("__name__") in _BETWEEN:
        frame = frame.f_back
    name = "somebody" if frame is None else frame.f_code.co_qualname
    run = structlog.contextvars.get_contextvars().get("run_id")
    return name if run is None else f"{name} of run {run}"
